// Home: services down, environments across. Each cell: what runs, since when, what comes next and what it waits for.

import { useMemo, useSyncExternalStore } from 'react'
import type { Board } from '../../api/types'
import { Heading, Loaded } from '../../parts/Page'
import { go, useAddress } from '../../router'
import { plural } from '../../words/figures'
import { clock } from '../../words/time'
import { BoardCards } from './BoardCards'
import { BoardTable } from './BoardTable'
import { choices, shows, type Filter } from './filter'
import { useBoard } from './useBoard'

const narrow = matchMedia('(max-width: 47.99rem)')
const onNarrow = (tell: () => void) => {
  narrow.addEventListener('change', tell)
  return () => narrow.removeEventListener('change', tell)
}

export function BoardPage() {
  const board = useBoard()
  return (
    <div className="page board-page">
      <Heading title="Board" />
      <Loaded of={board} rows={10}>
        {(data) => <Rows board={data} />}
      </Loaded>
    </div>
  )
}

function Rows({ board }: { board: Board }) {
  const address = useAddress()
  const small = useSyncExternalStore(onNarrow, () => narrow.matches)
  const query = address.searchParams
  const filter: Filter = { service: query.get('service') ?? '', team: query.get('team') ?? '', state: query.get('state') ?? '' }
  const rows = useMemo(() => board.rows.filter((row) => shows(row, filter)), [board, filter.service, filter.team, filter.state])
  if (board.rows.length === 0) return <NoService />
  return (
    <>
      <Filters board={board} filter={filter} found={rows.length} />
      {rows.length === 0 ? (
        <div className="empty">
          <p>None of {plural(board.rows.length, 'service')} fits this filter.</p>
          <button type="button" onClick={() => go('/', true)}>
            Show all
          </button>
        </div>
      ) : small ? (
        <BoardCards environments={board.environments} rows={rows} />
      ) : (
        <BoardTable environments={board.environments} rows={rows} />
      )}
    </>
  )
}

function Filters({ board, filter, found }: { board: Board; filter: Filter; found: number }) {
  const { teams, states } = useMemo(() => choices(board.rows), [board])
  const set = (name: keyof Filter, value: string) => {
    const next = new URLSearchParams(Object.entries({ ...filter, [name]: value }).filter(([, one]) => one))
    go(next.size ? `/?${next}` : '/', true)
  }
  return (
    <form className="filters" role="search" aria-label="Board" onSubmit={(event) => event.preventDefault()}>
      <label>
        Service
        <input type="search" value={filter.service} onChange={(event) => set('service', event.target.value)} />
      </label>
      <Choice label="Team" value={filter.team} all="All teams" options={teams} onChange={(value) => set('team', value)} />
      <Choice label="State" value={filter.state} all="Any state" options={states} onChange={(value) => set('state', value)} />
      <p className="dim" role="status">
        {found === board.rows.length ? plural(found, 'service') : `${found} of ${plural(board.rows.length, 'service')}`}, as of {clock(board.as_of)}
      </p>
    </form>
  )
}

function Choice({ label, value, all, options, onChange }: { label: string; value: string; all: string; options: string[]; onChange: (value: string) => void }) {
  return (
    <label>
      {label}
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        <option value="">{all}</option>
        {options.map((option) => (
          <option key={option} value={option}>
            {option}
          </option>
        ))}
      </select>
    </label>
  )
}

function NoService() {
  return (
    <div className="empty">
      <p>No service is declared yet.</p>
      <p>
        In a folder with your project: <code>holdpoint init</code>, then <code>holdpoint apply</code>. The service appears here at once.
      </p>
    </div>
  )
}
