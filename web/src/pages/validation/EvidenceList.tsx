// Signed statements about the components and the manifest of a release.

import type { Evidence, Manifest, Release } from '../../api/types'
import { at } from '../../api/client'
import { DigestText } from '../../parts/DigestText'
import { Icon } from '../../parts/Icon'
import { Table } from '../../parts/Table'
import { When } from '../../parts/When'
import { short } from '../../words/figures'

export function EvidenceList({ release }: { release: Release }) {
  return (
    <section className="block">
      <h2>Evidence</h2>
      <EvidenceTable evidence={release.evidence} manifest={release.manifest} links />
    </section>
  )
}

function about(subject: string, manifest: Manifest): string {
  return Object.entries(manifest.components).find(([, pin]) => pin.digest === subject)?.[0] ?? (subject.startsWith('sha256:') ? `manifest ${short(subject)}` : subject)
}

export function EvidenceTable({ evidence, manifest, links = false }: { evidence: Evidence[]; manifest: Manifest; links?: boolean }) {
  return (
    <Table
      caption="Evidence"
      rows={evidence}
      keyOf={(one) => one.digest}
      empty={
        <p>
          None yet. A build brings provenance; send reports with <code>holdpoint evidence add</code>.
        </p>
      }
      columns={[
        { head: 'Kind', kind: 'row', cell: (one) => one.kind },
        { head: 'About', cell: (one) => <span title={one.subject}>{about(one.subject, manifest)}</span> },
        { head: 'What it says', kind: 'wide', cell: (one) => (one.revoked ? `Revoked. ${one.summary}` : one.summary) },
        { head: 'Signed by', cell: (one) => <code title={one.signer}>{one.signer.length > 22 ? `${one.signer.slice(0, 20)}…` : one.signer}</code> },
        { head: 'Received', cell: (one) => <When at={one.at} /> },
        {
          head: 'Digest',
          cell: (one) => (
            <>
              <DigestText digest={one.digest} what={`digest of the ${one.kind} evidence`} />
              {links && (
                <a className="file" href={at`/v1/evidence/${one.digest}`} download={`${one.kind}.dsse.json`}>
                  <Icon name="download" />
                  <span className="unseen">Download the {one.kind} statement</span>
                </a>
              )}
            </>
          ),
        },
      ]}
    />
  )
}
