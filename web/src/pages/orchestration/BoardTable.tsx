// The board on a wide screen: a table with a fixed row height, of which only the rows in view are in the document.

import { memo, useRef } from 'react'
import type { BoardEnvironment, BoardRow } from '../../api/types'
import { EnvironmentName } from '../../parts/EnvironmentName'
import { Link } from '../../router'
import { Cell } from './BoardCell'
import { useWindow } from './useWindow'

/** In CSS pixels; board.css sets the same. */
const ROW = 84
/** Below this the table scrolls sideways instead of squeezing: service column and each environment. */
const FIRST = 200
const EACH = 216

export function BoardTable({ environments, rows }: { environments: BoardEnvironment[]; rows: BoardRow[] }) {
  const body = useRef<HTMLTableSectionElement>(null)
  const least = (table: HTMLTableElement | null) => table?.style.setProperty('min-width', `${FIRST + EACH * environments.length}px`)
  const [from, to] = useWindow(body, rows.length, ROW)
  return (
    <div className="board-scroll" tabIndex={0} role="region" aria-label="Services by environment">
      <table ref={least} className="board" aria-rowcount={rows.length + 1}>
        <caption className="unseen">Services by environment: what runs, and what waits</caption>
        <thead>
          <tr aria-rowindex={1}>
            <th scope="col">Service</th>
            {environments.map((environment) => (
              <th key={environment.name} scope="col" title={environment.zone && `Times there: ${environment.zone}`}>
                <EnvironmentName name={environment.name} production={environment.production} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody ref={body}>
          <Gap rows={from} columns={environments.length + 1} />
          {rows.slice(from, to).map((row, i) => (
            <Row key={row.service} row={row} environments={environments} index={from + i + 2} />
          ))}
          <Gap rows={rows.length - to} columns={environments.length + 1} />
        </tbody>
      </table>
    </div>
  )
}

/** Drawn again only when it changed: scrolling draws what comes into view, nothing else. */
const Row = memo(function Row({ row, environments, index }: { row: BoardRow; environments: BoardEnvironment[]; index: number }) {
  return (
    <tr aria-rowindex={index} data-row-group="">
      <th scope="row">
        <Link data-row="" to={`/releases?service=${encodeURIComponent(row.service)}`}>
          {row.service}
        </Link>
        {row.team && <span className="dim">{row.team}</span>}
      </th>
      {environments.map((environment) => (
        <td key={environment.name}>
          <Cell cell={row.cells[environment.name]} environment={environment.name} service={row.service} zone={environment.zone} />
        </td>
      ))}
    </tr>
  )
})

function Gap({ rows, columns }: { rows: number; columns: number }) {
  const measure = (cell: HTMLTableCellElement | null) => cell?.style.setProperty('height', `${rows * ROW}px`)
  if (rows <= 0) return null
  return (
    <tr aria-hidden="true" className="gap">
      <td ref={measure} colSpan={columns} />
    </tr>
  )
}
