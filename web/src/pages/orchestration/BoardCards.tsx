// The board on a narrow screen: one block a service, its environments below each other.

import { useRef } from 'react'
import type { BoardEnvironment, BoardRow } from '../../api/types'
import { Link } from '../../router'
import { Cell } from './BoardCell'
import { useWindow } from './useWindow'

/** In CSS pixels; board.css sets the same. */
const HEAD = 52
const LINE = 84

export function BoardCards({ environments, rows }: { environments: BoardEnvironment[]; rows: BoardRow[] }) {
  const list = useRef<HTMLUListElement>(null)
  const height = HEAD + LINE * environments.length
  const [from, to] = useWindow(list, rows.length, height)
  const pad = (element: HTMLUListElement | null) => {
    list.current = element
    element?.style.setProperty('padding-top', `${from * height}px`)
    element?.style.setProperty('padding-bottom', `${(rows.length - to) * height}px`)
  }
  return (
    <ul className="board-cards" ref={pad}>
      {rows.slice(from, to).map((row, i) => (
        <li key={row.service} aria-setsize={rows.length} aria-posinset={from + i + 1} data-row-group="">
          <h2>
            <Link data-row="" to={`/releases?service=${encodeURIComponent(row.service)}`}>
              {row.service}
            </Link>
            {row.team && <span className="dim">{row.team}</span>}
          </h2>
          <dl>
            {environments.map((environment) => (
              <div key={environment.name}>
                <dt>{environment.name}</dt>
                <dd>
                  <Cell cell={row.cells[environment.name]} environment={environment.name} service={row.service} zone={environment.zone} />
                </dd>
              </div>
            ))}
          </dl>
        </li>
      ))}
    </ul>
  )
}
