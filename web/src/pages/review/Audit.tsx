// The ledger, newest first: everything that happened, each entry with an address.

import { useState } from 'react'
import { useResource } from '../../api/resource'
import type { Checkpoint, LedgerPage } from '../../api/types'
import { DigestText } from '../../parts/DigestText'
import { Facts } from '../../parts/Facts'
import { Heading, Loaded } from '../../parts/Page'
import { When } from '../../parts/When'
import { go, Link, useAddress } from '../../router'
import { count } from '../../words/figures'
import { Entries } from './Entries'
import { Findings } from './Findings'

const LIMIT = 50
const any = () => true

export function Audit() {
  const query = useAddress().searchParams
  const [stream, setStream] = useState(query.get('stream') ?? '')
  const [type, setType] = useState(query.get('type') ?? '')
  const asked = new URLSearchParams([...query].filter(([name, value]) => value && ['stream', 'type', 'before'].includes(name)))
  const onward = new URLSearchParams(asked)
  asked.set('limit', String(LIMIT))
  const newest = !query.get('before')
  const page = useResource<LedgerPage>(`/v1/ledger?${asked}`, newest ? any : undefined)
  const checkpoint = useResource<Checkpoint>('/v1/ledger/checkpoint', any)
  const to = (before: number | null) => {
    if (before === null) onward.delete('before')
    else onward.set('before', String(before))
    return onward.size ? `/audit?${onward}` : '/audit'
  }
  return (
    <div className="page">
      <Heading title="Audit" />
      {checkpoint.data && (
        <Facts
          facts={[
            ['Entries', count(checkpoint.data.size)],
            ['Root', <DigestText key="r" digest={checkpoint.data.root} what="root of the checkpoint" />],
            ['Sealed', checkpoint.data.at && <When at={checkpoint.data.at} />],
          ]}
        />
      )}
      <Findings />
      <form
        className="filters"
        role="search"
        aria-label="Ledger"
        onSubmit={(event) => {
          event.preventDefault()
          const next = new URLSearchParams([['stream', stream.trim()], ['type', type.trim()]].filter(([, value]) => value) as [string, string][])
          go(next.size ? `/audit?${next}` : '/audit')
        }}
      >
        <label>
          Stream
          <input type="search" placeholder="release/rel_…" value={stream} onChange={(event) => setStream(event.target.value)} />
        </label>
        <label>
          Type
          <input type="search" placeholder="ApprovalGiven" value={type} onChange={(event) => setType(event.target.value)} />
        </label>
        <button type="submit">Filter</button>
      </form>
      <Loaded of={page} rows={12}>
        {(data) => (
          <>
            <Entries entries={data.entries} empty={<p>{stream || type ? 'No entry fits this filter.' : 'Nothing happened yet.'}</p>} />
            <nav className="pager" aria-label="Pages of the ledger">
              {!newest && <Link to={to(null)}>Newest</Link>}
              {data.next_before != null && <Link to={to(data.next_before)}>Older</Link>}
            </nav>
          </>
        )}
      </Loaded>
    </div>
  )
}
