import { describe, expect, it } from 'vitest'
import type { BoardRow } from '../../api/types'
import { choices, shows, verdictOf } from './filter'
import { rangeOf } from './useWindow'

const shop: BoardRow = {
  service: 'shop',
  team: 'team-shop',
  cells: {
    dev: { state: 'live', version: '1.2.0', release: 'rel_1' },
    production: { state: 'live', version: '1.1.0', next: { release: 'rel_1', version: '1.2.0', gates: { open: 7, waiting: 1, shut: 1 } } },
  },
}
const all = { service: '', team: '', state: '' }

describe('the board', () => {
  it('takes the worst light', () => expect(verdictOf(shop.cells.production)).toBe('shut'))
  it.each([
    [all, true],
    [{ ...all, service: 'SHO' }, true],
    [{ ...all, service: 'pay' }, false],
    [{ ...all, team: 'team-shop' }, true],
    [{ ...all, team: 'team-pay' }, false],
    [{ ...all, state: 'shut' }, true],
    [{ ...all, state: 'deploying' }, false],
  ])('filter %j shows it: %s', (filter, shown) => expect(shows(shop, filter)).toBe(shown))
  it('offers what is there', () => expect(choices([shop])).toEqual({ teams: ['team-shop'], states: ['live', 'shut'] }))
})

describe('the window of rows', () => {
  it.each([
    [0, 900, 500, [0, 20]],
    [-8000, 900, 500, [92, 120]],
    [-39_500, 900, 500, [485, 500]],
    [900, 900, 500, [0, 8]],
    [0, 900, 3, [0, 3]],
  ])('a list at %d in a view of %d with %d rows', (top, view, count, range) => expect(rangeOf(top, view, count, 80, 8)).toEqual(range))
})
