// What a release is made of, what is known to be wrong with it, and who bears what until when.

import { at } from '../../api/client'
import { useResource } from '../../api/resource'
import type { Release, WaiverRow, WeaknessRow, WeaknessSubject, WeaknessView } from '../../api/types'
import { DigestText } from '../../parts/DigestText'
import { Icon } from '../../parts/Icon'
import { Table } from '../../parts/Table'
import { When } from '../../parts/When'

const concerns = (stream: string) => /^(subject|waiver|advisories)\//.test(stream)

export function Weaknesses({ release }: { release: Release }) {
  const view = useResource<WeaknessView>(at`/v1/releases/${release.id}/weaknesses`, concerns)
  if (!view.data) return <p role="status">{view.refusal ? view.refusal.detail : 'Reading what is known …'}</p>
  const { subjects, waivers, database } = view.data
  return (
    <section className="block">
      <h2>Components and weaknesses</h2>
      <p>
        {database?.whole ? (
          <>
            Advisories: whole database received <When at={database.whole} />, judged by all deliveries up to {database.judged} of {database.last}.
          </>
        ) : (
          'No whole database of advisories was ever sent.'
        )}
      </p>
      <Components subjects={subjects} />
      {subjects.map((subject) => (
        <Found key={subject.subject} subject={subject} waivers={waivers} />
      ))}
      <Waivers waivers={waivers} />
    </section>
  )
}

function Components({ subjects }: { subjects: WeaknessSubject[] }) {
  return (
    <Table
      caption="Lists of components"
      rows={subjects}
      keyOf={(one) => one.subject}
      empty={
        <p>
          No list of components yet: <code>holdpoint sbom create</code>, then <code>holdpoint evidence add --kind cyclonedx</code>.
        </p>
      }
      columns={[
        { head: 'Of', kind: 'row', cell: (one) => one.what },
        { head: 'Format', cell: (one) => one.format },
        { head: 'Components', kind: 'number', cell: (one) => one.components },
        { head: 'Known', cell: (one) => (one.judged ? counts(one.judged.counts) : 'not judged yet') },
        { head: 'Received', cell: (one) => <When at={one.at} /> },
        {
          head: 'Document',
          cell: (one) => (
            <span className="digest">
              <DigestText digest={one.source} what={`digest of the list of ${one.what}`} />
              <a className="file" href={at`/v1/blobs/${one.source}`} download={`${one.what}.cdx.json`}>
                <Icon name="download" />
                <span className="unseen">Download the list of {one.what}</span>
              </a>
            </span>
          ),
        },
      ]}
    />
  )
}

function counts(all: Record<string, number>): string {
  const told = ['critical', 'high', 'medium', 'low', 'none', 'unknown'].filter((name) => all[name]).map((name) => `${all[name]} ${name}`)
  return told.length > 0 ? told.join(', ') : 'nothing'
}

function Found({ subject, waivers }: { subject: WeaknessSubject; waivers: WaiverRow[] }) {
  if (!subject.judged || subject.judged.found.length === 0) return null
  return (
    <>
      <h3>Weaknesses of {subject.what}</h3>
      <Table<WeaknessRow>
        caption={`Weaknesses of ${subject.what}, worst first`}
        rows={subject.judged.found}
        keyOf={({ weakness }) => `${weakness.ids[0]} ${weakness.package} ${weakness.version}`}
        columns={[
          { head: 'Class', cell: ({ weakness }) => weakness.class },
          { head: 'Advisory', kind: 'row', cell: ({ weakness, new: fresh }) => `${weakness.ids[0]}${fresh ? ' (new)' : ''}` },
          { head: 'Package', kind: 'wide', cell: ({ weakness }) => `${weakness.name} ${weakness.version}` },
          { head: 'Fixed in', cell: ({ weakness }) => weakness.fixed ?? 'no version known' },
          { head: 'Waived', cell: (row) => borne(row, waivers) },
        ]}
      />
    </>
  )
}

function borne(row: WeaknessRow, waivers: WaiverRow[]): string {
  const own = waivers.filter((waiver) => row.waivers.includes(waiver.id))
  const holds = own.find((waiver) => waiver.state === 'holds')
  if (holds) return `by ${holds.by ?? 'somebody'}`
  return own.some((waiver) => waiver.state === 'expired') ? 'no longer' : 'no'
}

function Waivers({ waivers }: { waivers: WaiverRow[] }) {
  if (waivers.length === 0) return null
  return (
    <>
      <h3>Waivers</h3>
      <Table
        caption="Waivers"
        rows={waivers}
        keyOf={(one) => one.id}
        columns={[
          { head: 'Advisory', kind: 'row', cell: (one) => one.advisory },
          { head: 'Package', cell: (one) => one.package },
          { head: 'Where', cell: (one) => (one.environments.length > 0 ? one.environments.join(', ') : 'everywhere') },
          { head: 'By', cell: (one) => one.by ?? 'somebody' },
          { head: 'Reason', kind: 'wide', cell: (one) => one.reason ?? '' },
          { head: 'Until', cell: (one) => <When at={one.until} /> },
          { head: 'State', cell: (one) => one.state },
        ]}
      />
    </>
  )
}
