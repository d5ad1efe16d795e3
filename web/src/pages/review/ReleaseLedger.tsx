// What the ledger has about one release, and its dossier.

import { useCallback } from 'react'
import { at } from '../../api/client'
import { useResource } from '../../api/resource'
import type { LedgerPage, Release } from '../../api/types'
import { Icon } from '../../parts/Icon'
import { Loaded } from '../../parts/Page'
import { Link } from '../../router'
import { Entries } from './Entries'

export function ReleaseLedger({ release }: { release: Release }) {
  const stream = `release/${release.id}`
  const page = useResource<LedgerPage>(`/v1/ledger?stream=${encodeURIComponent(stream)}&limit=200`, useCallback((one: string) => one === stream, [stream]))
  return (
    <section className="block">
      <div className="head">
        <h2>Ledger</h2>
        <a className="button" href={at`/v1/releases/${release.id}/dossier`} download={`dossier-${release.service}-${release.version}.json`}>
          <Icon name="download" /> Dossier
        </a>
        <Link to={`/audit?stream=${encodeURIComponent(stream)}`}>Open in Audit</Link>
      </div>
      <p className="dim">
        The dossier holds every fact, all evidence and the proofs. Check it anywhere, without this server: <code>holdpoint verify dossier.json --root root.pub</code>
      </p>
      <Loaded of={page}>{(data) => <Entries entries={data.entries} empty={<p>Nothing is sealed yet; entries appear within a second.</p>} />}</Loaded>
    </section>
  )
}
