// One release: what it is, where it stands before every environment, and its sections by address.

import { useMemo } from 'react'
import { at } from '../../api/client'
import { useResource } from '../../api/resource'
import type { Release, ReleaseEnvironment } from '../../api/types'
import { DigestText } from '../../parts/DigestText'
import { Facts } from '../../parts/Facts'
import { Heading, Loaded } from '../../parts/Page'
import { Status } from '../../parts/Status'
import { Sections } from '../../parts/Tabs'
import { Age } from '../../parts/When'
import { Link, useAddress } from '../../router'
import { Approvals } from '../governance/Approvals'
import { Gates } from '../governance/Gates'
import { Deployments } from '../orchestration/Deployments'
import { ReleaseLedger } from '../review/ReleaseLedger'
import { Compatibility } from '../validation/Compatibility'
import { EvidenceList } from '../validation/EvidenceList'
import { Weaknesses } from '../validation/Weaknesses'
import { Contents } from './Contents'
import { Stages } from './Stages'
import { Withdraw } from './Withdraw'

function concernsOf(id: string) {
  return (stream: string) => (stream.startsWith('release/') ? stream === `release/${id}` : !stream.startsWith('pipeline/'))
}

/** The environment in the address, else the first that does not run this manifest. */
function chosen(release: Release, asked: string | null): ReleaseEnvironment | undefined {
  return (
    release.environments.find((one) => one.name === asked) ??
    release.environments.find((one) => one.running?.manifest_digest !== release.manifest_digest) ??
    release.environments.at(-1)
  )
}

export function ReleasePage({ id, section }: { id: string; section: string }) {
  const release = useResource<Release>(at`/v1/releases/${id}`, useMemo(() => concernsOf(id), [id]))
  const asked = useAddress().searchParams.get('environment')
  return (
    <div className="page">
      <Loaded of={release} title="Release">{(data) => <View release={data} environment={chosen(data, asked)} section={section} again={release.again} />}</Loaded>
    </div>
  )
}

interface Props {
  release: Release
  environment: ReleaseEnvironment | undefined
  section: string
  again: () => void
}

function View({ release, environment, section, again }: Props) {
  const query = environment ? `?environment=${encodeURIComponent(environment.name)}` : ''
  const to = (name: string) => at`/releases/${release.id}/${name}` + query
  const sections = [
    { id: 'gates', title: 'Gates' },
    { id: 'contents', title: 'Contents' },
    { id: 'approvals', title: 'Approvals', count: release.approvals.length },
    { id: 'deployments', title: 'Deployments', count: release.runs.length },
    { id: 'evidence', title: 'Evidence', count: release.evidence.length },
    { id: 'compatibility', title: 'Compatibility' },
    { id: 'weaknesses', title: 'Weaknesses' },
    { id: 'ledger', title: 'Ledger' },
  ].map((one) => ({ ...one, to: to(one.id) }))
  return (
    <>
      <Head release={release} again={again} />
      <Stages release={release} now={environment?.name} section={section} again={again} />
      <Sections label="Sections of the release" sections={sections} now={section} />
      {section === 'gates' && environment && <Gates environment={environment} to={to} />}
      {section === 'contents' && <Contents release={release} environment={environment} />}
      {section === 'approvals' && <Approvals release={release} environment={environment} again={again} />}
      {section === 'deployments' && <Deployments release={release} />}
      {section === 'evidence' && <EvidenceList release={release} />}
      {section === 'compatibility' && <Compatibility release={release} />}
      {section === 'weaknesses' && <Weaknesses release={release} />}
      {section === 'ledger' && <ReleaseLedger release={release} />}
    </>
  )
}

function Head({ release, again }: { release: Release; again: () => void }) {
  return (
    <>
      <div className="head">
        <Heading title={`${release.service} ${release.version}`}>
          <Link to={`/releases?service=${encodeURIComponent(release.service)}`}>{release.service}</Link> {release.version}
        </Heading>
        <Status state={release.closure ?? (release.state === 'open' ? 'running' : release.state)} strong {...(release.state === 'open' ? { word: 'On its way' } : {})} />
        <span className="head-end">{release.state === 'open' && <Withdraw release={release} again={again} />}</span>
      </div>
      <Facts
        facts={[
          ['Manifest', <DigestText key="m" digest={release.manifest_digest} what="manifest digest" />],
          ['Release', <code key="r">{release.id}</code>],
          ['Created', release.created_at && <Age at={release.created_at} />],
          ['By', release.created_by],
          ['Authors', release.authors.map((author) => author.handle ?? author.person ?? 'unknown').join(', ')],
          ['Superseded by', release.superseded_by && <Link to={at`/releases/${release.superseded_by}`}>{release.superseded_by}</Link>],
        ]}
      />
    </>
  )
}
