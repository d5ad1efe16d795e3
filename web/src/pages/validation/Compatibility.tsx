// What a release's interfaces break where it goes, against which versions, and for whom.

import { at } from '../../api/client'
import { useResource } from '../../api/resource'
import type { Change, CompatibilityOf, CompatibilityView, Release } from '../../api/types'
import { DigestText } from '../../parts/DigestText'
import { Icon } from '../../parts/Icon'
import { Table } from '../../parts/Table'
import { When } from '../../parts/When'

const concerns = (stream: string) => /^(subject|slot|waiver)\//.test(stream)

export function Compatibility({ release }: { release: Release }) {
  const view = useResource<CompatibilityView>(at`/v1/releases/${release.id}/compatibility`, concerns)
  if (!view.data) return <p role="status">{view.refusal ? view.refusal.detail : 'Reading what is known …'}</p>
  const { environments } = view.data
  return (
    <section className="block">
      <h2>Compatibility</h2>
      {environments.length === 0 && <p>No stage of the pipeline asks for it.</p>}
      {environments.map((one) => (
        <Place key={one.environment} of={one} />
      ))}
    </section>
  )
}

function Place({ of }: { of: CompatibilityOf }) {
  return (
    <>
      <h3>In {of.environment}</h3>
      <Described of={of} />
      <Observed of={of} />
      <Compared of={of} />
      {of.changes.length > 0 && <Consumers of={of} />}
      {of.changes.length > 0 && <Changes of={of} />}
    </>
  )
}

function Described({ of }: { of: CompatibilityOf }) {
  return (
    <Table
      caption={`Interfaces of the release, for ${of.environment}`}
      rows={of.described}
      keyOf={(one) => `${one.component} ${one.interface} ${one.source}`}
      empty={
        <p>
          Nothing is described. The stage asks for {of.asked.join(', ')}: <code>holdpoint evidence add --kind interface</code>.
        </p>
      }
      columns={[
        { head: 'Interface', kind: 'row', cell: (one) => `${one.component}/${one.interface}` },
        { head: 'Format', cell: (one) => one.format },
        {
          head: 'Description',
          cell: (one) => (
            <span className="digest">
              <DigestText digest={one.source} what={`digest of the description of ${one.component}/${one.interface}`} />
              <a className="file" href={at`/v1/blobs/${one.source}`} download={`${one.component}-${one.interface}.${one.format}`}>
                <Icon name="download" />
                <span className="unseen">
                  Download the description of {one.component}/{one.interface}
                </span>
              </a>
            </span>
          ),
        },
      ]}
    />
  )
}

function Observed({ of }: { of: CompatibilityOf }) {
  if (of.observed.length === 0) return <p>Nobody recorded who uses the interfaces here.</p>
  return (
    <ul className="plain-list">
      {of.observed.map((one) => (
        <li key={one.interface}>
          Use of {one.interface} was looked at from <When at={one.from} /> to <When at={one.until} />. Unseen is not unused.
        </li>
      ))}
    </ul>
  )
}

function Compared({ of }: { of: CompatibilityOf }) {
  return (
    <Table
      caption={`Versions in ${of.environment} that it is compared with`}
      rows={of.compared}
      keyOf={(one) => `${one.interface} ${one.version} ${one.verdict}`}
      empty={<p>Nothing to compare: no other version runs or may come back, or nothing is described.</p>}
      columns={[
        { head: 'Interface', kind: 'row', cell: (one) => one.interface },
        { head: 'Format', cell: (one) => one.format },
        { head: 'Version', cell: (one) => one.version },
        { head: 'There', cell: (one) => one.role },
        { head: 'Verdict', cell: (one) => one.verdict },
        { head: 'Found', cell: (one) => counts(one.counts) },
      ]}
    />
  )
}

function counts(all: Record<string, number>): string {
  const told = ['breaking', 'unknown', 'risky'].filter((name) => all[name]).map((name) => `${all[name]} ${name}`)
  return told.length > 0 ? told.join(', ') : 'nothing'
}

function Consumers({ of }: { of: CompatibilityOf }) {
  return (
    <Table
      caption={`By consumer in ${of.environment}`}
      rows={of.consumers}
      keyOf={(one) => `${one.consumer} ${one.interface}`}
      empty={<p>No consumer was seen at what changed.</p>}
      columns={[
        { head: 'Consumer', kind: 'row', cell: (one) => one.consumer },
        { head: 'Interface', cell: (one) => one.interface },
        { head: 'Breaks for it', kind: 'wide', cell: (one) => list(one.breaking) },
        { head: 'Risky for it', kind: 'wide', cell: (one) => list(one.risky) },
        { head: 'Last seen', cell: (one) => (one.last ? <When at={one.last} /> : 'not recorded') },
      ]}
    />
  )
}

function list(all: string[]) {
  if (all.length === 0) return 'nothing'
  return (
    <ul className="plain-list">
      {all.map((one) => (
        <li key={one}>{one}</li>
      ))}
    </ul>
  )
}

function Changes({ of }: { of: CompatibilityOf }) {
  return (
    <Table<Change>
      caption={`Changes in ${of.environment}, worst first`}
      rows={of.changes}
      keyOf={(one) => `${one.interface} ${one.id}`}
      columns={[
        { head: 'Severity', cell: (one) => one.severity },
        { head: 'Rule', kind: 'row', cell: (one) => one.rule },
        { head: 'What it means', kind: 'wide', cell: (one) => one.message },
        { head: 'Place', kind: 'wide', cell: (one) => `${one.interface}: ${one.place}` },
        { head: 'For', cell: (one) => (one.way === 'back' ? `after a rollback to ${one.versions.join(', ')}` : `clients of ${one.versions.join(', ')}`) },
        { head: 'Seen using it', cell: seen },
        { head: 'Name for a waiver', cell: (one) => (one.borne ? `${one.id}, borne` : one.id) },
      ]}
    />
  )
}

function seen(one: Change): string {
  const names = (one.consumers ?? []).map((consumer) => (consumer.requests > 0 ? `${consumer.name} (${consumer.requests})` : consumer.name))
  const more = one.consumers_total - names.length
  if (names.length === 0) return 'nobody'
  return more > 0 ? `${names.join(', ')} and ${more} more` : names.join(', ')
}
