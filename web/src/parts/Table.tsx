// Rows of the same kind. Below 40 rem each row becomes a block with its labels; the roles are spelled out because a
// change of `display` would take them away.

import type { ReactNode } from 'react'

export interface Column<T> {
  head: string
  cell: (row: T) => ReactNode
  kind?: 'number' | 'wide' | 'row'
}

interface Props<T> {
  caption: string
  columns: Column<T>[]
  rows: T[]
  keyOf: (row: T) => string | number
  empty?: ReactNode
  shown?: boolean
}

export function Table<T>({ caption, columns, rows, keyOf, empty, shown = false }: Props<T>) {
  if (rows.length === 0 && empty) return <div className="empty">{empty}</div>
  return (
    <table role="table" className="rows">
      <caption className={shown ? '' : 'unseen'}>{caption}</caption>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map((column) => (
            <th key={column.head} role="columnheader" scope="col" className={column.kind}>
              {column.head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <tr key={keyOf(row)} role="row" data-row-group="">
            {columns.map((column) =>
              column.kind === 'row' ? (
                <th key={column.head} role="rowheader" scope="row" data-label={column.head}>
                  {column.cell(row)}
                </th>
              ) : (
                <td key={column.head} role="cell" data-label={column.head} className={column.kind}>
                  {column.cell(row)}
                </td>
              ),
            )}
          </tr>
        ))}
      </tbody>
    </table>
  )
}
