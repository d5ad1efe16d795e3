import type { ReactNode } from 'react'
import { at } from '../../api/client'
import type { LedgerEntry } from '../../api/types'
import { Table } from '../../parts/Table'
import { When } from '../../parts/When'
import { Link } from '../../router'
import { told } from '../../words/facts'

/** Entries of the ledger, one a row. */
export function Entries({ entries, empty }: { entries: LedgerEntry[]; empty: ReactNode }) {
  return (
    <Table
      caption="Ledger entries"
      rows={entries}
      keyOf={(entry) => entry.index}
      empty={empty}
      columns={[
        {
          head: 'Entry',
          kind: 'row',
          cell: (entry) => (
            <Link data-row="" to={at`/audit/${entry.index}`}>
              {entry.index}
            </Link>
          ),
        },
        { head: 'When', cell: (entry) => <When at={entry.at} /> },
        {
          head: 'What',
          cell: (entry) => {
            const words = told(entry.envelope.type, entry.body)
            return words ? `${entry.envelope.type}: ${words}` : entry.envelope.type
          },
        },
        { head: 'Stream', kind: 'wide', cell: (entry) => <Link to={`/audit?stream=${encodeURIComponent(entry.envelope.stream)}`}>{entry.envelope.stream}</Link> },
        { head: 'Who', cell: (entry) => entry.actor_name ?? entry.envelope.actor },
        { head: 'Through', cell: (entry) => entry.envelope.via },
      ]}
    />
  )
}
