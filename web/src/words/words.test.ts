import { describe, expect, it } from 'vitest'
import { inside, match } from '../addresses'
import { odds, sentence, share, short } from './figures'
import { refusedWith, told } from './facts'
import { age, full, span } from './time'

describe('time', () => {
  it.each([[400, '0.4 s'], [42_000, '42 s'], [180_000, '3 min'], [5 * 3_600_000, '5 h'], [12 * 86_400_000, '12 d']])('%d ms is %s', (ms, words) => {
    expect(span(ms)).toBe(words)
  })
  it('says on which side of now an instant lies', () => {
    const now = Date.parse('2026-11-24T12:00:00Z')
    expect(age('2026-11-24T11:57:00Z', now)).toBe('3 min ago')
    expect(age('2026-11-24T17:00:00Z', now)).toBe('in 5 h')
    expect(age('2026-11-24T12:00:02Z', now)).toBe('just now')
  })
  it('names the zone', () => {
    expect(full('2026-11-24T13:02:00Z', 'Europe/Berlin')).toBe('Tue, 24 Nov 2026, 14:02 CET')
    expect(full('2026-07-24T13:02:00Z', 'Europe/Berlin')).toContain('15:02 CEST')
  })
  it('shows what cannot be read as it is', () => expect(full('soon')).toBe('soon'))
})

describe('figures', () => {
  it('gives a count with its whole', () => expect(share(23, 41_880)).toBe('23 of 41,880'))
  it.each([[1, '1 : 1.0'], [214, '1 : 214'], [21_400, '1 : 2.1e4'], [Infinity, '1 : beyond counting']])('odds of %d', (n, words) => expect(odds(n)).toBe(words))
  it('shortens digests', () => expect(short(`sha256:${'ab'.repeat(32)}`)).toBe('sha256:abababababab…'))
  it('makes words of states', () => expect(sentence('rolled-back')).toBe('Rolled back'))
})

describe('addresses', () => {
  it('matches with an optional end', () => {
    expect(match('/releases/:id/:tab?', '/releases/rel_a')).toEqual({ id: 'rel_a' })
    expect(match('/releases/:id/:tab?', '/releases/rel_a/gates/')).toEqual({ id: 'rel_a', tab: 'gates' })
    expect(match('/releases/:id/:tab?', '/releases')).toBeNull()
    expect(match('/', '/')).toEqual({})
    expect(match('/audit', '/audit/3')).toBeNull()
    expect(match('/audit/:index', '/audit/%E0%A4%A')).toBeNull()
  })
  it.each([['/releases/a?x=1', '/releases/a?x=1'], ['//evil.example/', '/'], ['/\\evil.example', '/'], ['https://evil.example', '/'], [null, '/'], ['javascript:alert(1)', '/']])(
    'keeps %s inside', (given, kept) => expect(inside(given)).toBe(kept),
  )
})

describe('entries of the ledger', () => {
  it('says what a refused vote was', () => {
    const body = { word: 'given', environment: 'production', code: 'GOV-003' }
    expect(told('ApprovalRefused', body)).toBe('tried to approve for production: GOV-003: self-approval')
    expect(told('ApprovalRefused', { ...body, word: 'rejected', code: 'GOV-008' })).toBe('tried to decline for production: GOV-008: no role that counts here')
    expect(refusedWith('GOV-999')).toBe('GOV-999')
  })
  it('counts what was swept', () => {
    expect(told('BlobsSwept', { count: 1, bytes: 20480 })).toBe('1 stored file of 20,480 bytes that nothing named')
  })
  it('leaves to the type what it says by itself', () => expect(told('ReleaseCreated', {})).toBeUndefined())
})
