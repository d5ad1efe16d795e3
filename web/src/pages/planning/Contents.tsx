// What is in the release: components, configuration, work items, and the difference to what runs or was approved.

import { useState } from 'react'
import { at } from '../../api/client'
import { useResource } from '../../api/resource'
import type { Difference, Manifest, Release, ReleaseEnvironment } from '../../api/types'
import { Changes } from '../../parts/Difference'
import { DigestText } from '../../parts/DigestText'
import { RefusalNote } from '../../parts/Refusal'
import { Skeleton } from '../../parts/Page'
import { Table } from '../../parts/Table'
import { When } from '../../parts/When'
import { plural } from '../../words/figures'

export function Contents({ release, environment }: { release: Release; environment: ReleaseEnvironment | undefined }) {
  return (
    <div className="blocks">
      <section className="block">
        <h2>Components</h2>
        <Components manifest={release.manifest} />
      </section>
      <section className="block">
        <h2>Configuration</h2>
        <Config manifest={release.manifest} />
      </section>
      <section className="block">
        <h2>Work items</h2>
        {release.work_items.length === 0 ? (
          <p className="dim">None is named. Name them with the release, or in commit messages.</p>
        ) : (
          <ul className="plain-list">
            {release.work_items.map((item) => (
              <li key={item}>{item}</li>
            ))}
          </ul>
        )}
      </section>
      {environment && <Compare release={release} environment={environment} />}
      <section className="block">
        <h2>Authors</h2>
        <Table
          caption="Authors and their commits"
          rows={release.authors}
          keyOf={(author) => author.person ?? author.handle ?? author.commits.join()}
          empty={<p className="dim">No component has provenance yet, so nobody is known to have written it.</p>}
          columns={[
            { head: 'Author', kind: 'row', cell: (author) => author.handle ?? author.person ?? 'unknown' },
            { head: 'Commits', kind: 'wide', cell: (author) => author.commits.map((commit) => <code key={commit}>{commit.slice(0, 12)} </code>) },
          ]}
        />
      </section>
      <History release={release} />
    </div>
  )
}

export function Components({ manifest }: { manifest: Manifest }) {
  return (
    <Table
      caption="Components at fixed digests"
      rows={Object.entries(manifest.components)}
      keyOf={([name]) => name}
      empty={<p className="dim">No component.</p>}
      columns={[
        { head: 'Component', kind: 'row', cell: ([name]) => name },
        { head: 'Version', cell: ([, pin]) => pin.version },
        { head: 'Digest', kind: 'wide', cell: ([name, pin]) => <DigestText digest={pin.digest} what={`digest of ${name}`} /> },
      ]}
    />
  )
}

export function Config({ manifest }: { manifest: Manifest }) {
  return (
    <Table
      caption="Configuration"
      rows={Object.entries(manifest.config)}
      keyOf={([key]) => key}
      empty={<p className="dim">No configuration.</p>}
      columns={[
        { head: 'Key', kind: 'row', cell: ([key]) => <code>{key}</code> },
        { head: 'Value', kind: 'wide', cell: ([, value]) => <code>{value}</code> },
      ]}
    />
  )
}

function Compare({ release, environment }: { release: Release; environment: ReleaseEnvironment }) {
  const sides = [
    { name: `what runs in ${environment.name}`, standing: environment.running },
    { name: `what was last approved for ${environment.name}`, standing: environment.last_approved },
  ]
  const [side, setSide] = useState(() => Math.max(0, sides.findIndex((one) => one.standing)))
  const standing = sides[side]?.standing
  return (
    <section className="block">
      <h2>Difference</h2>
      <div className="choice" role="group" aria-label="Compare with">
        {sides.map((one, i) => (
          <button key={one.name} type="button" aria-pressed={side === i} onClick={() => setSide(i)}>
            to {one.name}
          </button>
        ))}
      </div>
      {standing ? <DifferenceTo release={release.id} from={standing.manifest_digest} to={release.manifest_digest} /> : <p className="dim">There is nothing yet to compare with.</p>}
    </section>
  )
}

export function DifferenceTo({ release, from, to }: { release: string; from: string; to: string }) {
  const path = `${at`/v1/releases/${release}/diff`}?from=${encodeURIComponent(from)}&to=${encodeURIComponent(to)}`
  const difference = useResource<Difference>(from === to ? null : path)
  if (from === to) return <p>The same manifest: no difference.</p>
  if (difference.refusal) return <RefusalNote refusal={difference.refusal} again={difference.again} />
  if (!difference.data) return <Skeleton rows={2} />
  return <Changes caption="Difference of the manifests" changes={difference.data.changes} />
}

function History({ release }: { release: Release }) {
  return (
    <section className="block">
      <h2>History of the manifest</h2>
      <ol className="history">
        {[...release.history].reverse().map((version) => (
          <li key={version.digest}>
            <p>
              <DigestText digest={version.digest} what="this manifest's digest" /> <When at={version.at} /> {version.by && `by ${version.by}`}
              {version.digest === release.manifest_digest && <span className="tag">in force</span>}
            </p>
            {version.diff.length > 0 && (
              <details>
                <summary>{plural(version.diff.length, 'change')}</summary>
                <Changes caption="Changes of this version" changes={version.diff} />
              </details>
            )}
          </li>
        ))}
      </ol>
    </section>
  )
}
