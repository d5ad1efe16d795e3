// Releases of one service or of all, newest first.

import { useResource } from '../../api/resource'
import { at } from '../../api/client'
import type { ReleaseSummary } from '../../api/types'
import { DigestText } from '../../parts/DigestText'
import { Heading, Loaded } from '../../parts/Page'
import { Status } from '../../parts/Status'
import { Table } from '../../parts/Table'
import { Age } from '../../parts/When'
import { go, Link, useAddress } from '../../router'

const concerns = (stream: string) => stream.startsWith('release/')

export function Releases() {
  const query = useAddress().searchParams
  const service = query.get('service') ?? ''
  const state = query.get('state') ?? ''
  const asked = new URLSearchParams([['service', service], ['state', state]].filter(([, value]) => value) as [string, string][])
  const releases = useResource<{ releases: ReleaseSummary[] }>(`/v1/releases${asked.size ? `?${asked}` : ''}`, concerns)
  const choose = (next: string) => {
    const url = new URLSearchParams(asked)
    if (next) url.set('state', next)
    else url.delete('state')
    go(`/releases${url.size ? `?${url}` : ''}`, true)
  }
  return (
    <div className="page">
      <Heading title={service ? `Releases of ${service}` : 'Releases'} />
      <form className="filters" role="search" aria-label="Releases" onSubmit={(event) => event.preventDefault()}>
        <label>
          State
          <select value={state} onChange={(event) => choose(event.target.value)}>
            <option value="">Any state</option>
            <option value="open">open</option>
            <option value="closed">closed</option>
          </select>
        </label>
        {service && <Link to="/releases">All services</Link>}
      </form>
      <Loaded of={releases}>
        {(data) => (
          <Table
            caption="Releases"
            rows={data.releases}
            keyOf={(release) => release.id}
            empty={
              <>
                <p>No release here yet.</p>
                <p>
                  Build one: <code>holdpoint build</code>, then <code>holdpoint release create</code>.
                </p>
              </>
            }
            columns={[
              {
                head: 'Release',
                kind: 'row',
                cell: (release) => (
                  <Link data-row="" to={at`/releases/${release.id}`}>
                    {release.service} {release.version}
                  </Link>
                ),
              },
              { head: 'State', cell: (release) => <Status state={release.closure ?? (release.state === 'open' ? 'running' : release.state)} {...(release.state === 'open' ? { word: 'On its way' } : {})} /> },
              { head: 'Created', cell: (release) => release.created_at && <Age at={release.created_at} /> },
              { head: 'Manifest', cell: (release) => release.manifest_digest && <DigestText digest={release.manifest_digest} what={`manifest digest of ${release.version}`} /> },
            ]}
          />
        )}
      </Loaded>
    </div>
  )
}
