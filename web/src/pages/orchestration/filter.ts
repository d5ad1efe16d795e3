// Which rows of the board are shown. Looks only at what the rows say; what a state means is the server's.

import type { BoardCell, BoardRow, Light } from '../../api/types'

export interface Filter {
  service: string
  team: string
  state: string
}

/** The light of what waits before a cell. */
export function verdictOf(cell: BoardCell | undefined): Light | undefined {
  const next = cell?.next
  if (!next) return undefined
  return next.verdict ?? (next.gates.shut > 0 ? 'shut' : next.gates.waiting > 0 ? 'waiting' : 'open')
}

export function shows(row: BoardRow, { service, team, state }: Filter): boolean {
  if (service && !row.service.toLowerCase().includes(service.toLowerCase())) return false
  if (team && row.team !== team) return false
  return !state || Object.values(row.cells).some((cell) => cell?.state === state || verdictOf(cell) === state)
}

/** The states and teams that there are to choose from. */
export function choices(rows: BoardRow[]): { teams: string[]; states: string[] } {
  const teams = new Set<string>()
  const states = new Set<string>()
  for (const row of rows) {
    if (row.team) teams.add(row.team)
    for (const cell of Object.values(row.cells)) {
      if (cell?.state) states.add(cell.state)
      const verdict = verdictOf(cell)
      if (verdict) states.add(verdict)
    }
  }
  return { teams: [...teams].sort(), states: [...states].sort() }
}
