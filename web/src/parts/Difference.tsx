// What changed between two manifests, field by field.

import type { Change } from '../api/types'
import { shown } from '../words/figures'
import { Table } from './Table'

export function Changes({ caption, changes }: { caption: string; changes: Change[] }) {
  return (
    <Table
      caption={caption}
      rows={changes}
      keyOf={(change) => change.path}
      empty={<p>No difference.</p>}
      columns={[
        { head: 'What', kind: 'row', cell: (change) => <code>{change.path}</code> },
        { head: 'Before', cell: (change) => <del className={change.from == null ? 'nothing' : ''}>{shown(change.from)}</del> },
        { head: 'Now', cell: (change) => <ins className={change.to == null ? 'nothing' : ''}>{shown(change.to)}</ins> },
      ]}
    />
  )
}
