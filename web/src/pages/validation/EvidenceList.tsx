// Signed statements about the components and the manifest of a release.

import type { Evidence, Release } from '../../api/types'
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
      <EvidenceTable evidence={release.evidence} release={release} links />
    </section>
  )
}

function about(subject: string, { manifest, manifest_digest }: Release): string {
  if (subject === manifest_digest) return 'the manifest'
  return Object.entries(manifest.components).find(([, pin]) => pin.digest === subject)?.[0] ?? short(subject)
}

export function EvidenceTable({ evidence, release, links = false }: { evidence: Evidence[]; release: Release; links?: boolean }) {
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
        { head: 'About', cell: (one) => <span title={one.subject}>{about(one.subject, release)}</span> },
        { head: 'What it says', kind: 'wide', cell: (one) => (one.revoked ? `Revoked. ${one.summary}` : one.summary) },
        { head: 'Signed by', cell: (one) => <code title={one.signer}>{one.signer.length > 18 ? `${one.signer.slice(0, 16)}…` : one.signer}</code> },
        { head: 'Received', cell: (one) => <When at={one.at} /> },
        {
          head: 'Digest',
          cell: (one) => (
            <span className="digest">
              <DigestText digest={one.digest} what={`digest of the ${one.kind} evidence`} />
              {links && (
                <a className="file" href={at`/v1/evidence/${one.digest}`} download={`${one.kind}.dsse.json`}>
                  <Icon name="download" />
                  <span className="unseen">Download the {one.kind} statement</span>
                </a>
              )}
            </span>
          ),
        },
      ]}
    />
  )
}
