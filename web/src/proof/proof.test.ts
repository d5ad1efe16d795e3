import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { LedgerEntry } from '../api/types'
import { canonical } from './canonical'
import { checkEntry } from './entry'
import { asDigest, hashBytes, rootOf, same, type Bytes } from './merkle'

const h = (...parts: Uint8Array[]) => new Uint8Array(createHash('sha256').update(Buffer.concat(parts)).digest()) as Bytes
const one = new Uint8Array([1])

// The definition of RFC 6962, section 2.1, written down as it stands there.
const split = (n: number) => 2 ** (Math.ceil(Math.log2(n)) - 1)
const tree = (leaves: Bytes[]): Bytes => (leaves.length === 1 ? leaves[0]! : h(one, tree(leaves.slice(0, split(leaves.length))), tree(leaves.slice(split(leaves.length)))))
const pathOf = (m: number, leaves: Bytes[]): Bytes[] => {
  if (leaves.length === 1) return []
  const k = split(leaves.length)
  return m < k ? [...pathOf(m, leaves.slice(0, k)), tree(leaves.slice(k))] : [...pathOf(m - k, leaves.slice(k)), tree(leaves.slice(0, k))]
}

describe('canonical JSON', () => {
  it('orders keys by code units and prints numbers as the standard does', () => {
    expect(canonical({ '\u20ac': 1, '\r': 2, '1': 3, '\ud83d\ude00': 4, '\ufb33': 5, '\u00f6': 6, '\u0080': 7 })).toBe(
      '{"\\r":2,"1":3,"\u0080":7,"\u00f6":6,"\u20ac":1,"\ud83d\ude00":4,"\ufb33":5}',
    )
    expect(canonical([1e21, 1e-7, 0.002, -0, 333333333.3333333, null, true])).toBe('[1e+21,1e-7,0.002,0,333333333.3333333,null,true]')
  })
  it('refuses what is no JSON', () => expect(() => canonical({ a: NaN })).toThrow())
})

describe('inclusion', () => {
  const leaves = Array.from({ length: 21 }, (_, i) => h(new Uint8Array([0, i])))
  it('reaches the root for every entry of every size', async () => {
    for (let size = 1; size <= leaves.length; size++)
      for (let index = 0; index < size; index++) {
        const some = leaves.slice(0, size)
        expect(same(await rootOf(index, size, leaves[index]!, pathOf(index, some)), tree(some))).toBe(true)
      }
  })
  it('does not reach it with a wrong index, a longer or a shorter path', async () => {
    const path = pathOf(5, leaves)
    const root = tree(leaves)
    expect(same(await rootOf(6, 21, leaves[5]!, path), root)).toBe(false)
    expect(same(await rootOf(5, 21, leaves[5]!, path.slice(1)), root)).toBe(false)
    expect(await rootOf(5, 21, leaves[5]!, [...path, root])).toBeNull()
    expect(await rootOf(21, 21, leaves[5]!, path)).toBeNull()
  })
  it('reads both spellings of a hash and no other', () => {
    const bytes = leaves[0]!
    expect(same(hashBytes(asDigest(bytes)), bytes)).toBe(true)
    expect(same(hashBytes(Buffer.from(bytes).toString('base64')), bytes)).toBe(true)
    expect(hashBytes('sha256:AB')).toBeNull()
    expect(hashBytes('c2hvcnQ=')).toBeNull()
  })
})

describe('an entry', () => {
  const body = { environment: 'production', by: 'per_1' }
  const digest = (text: string) => asDigest(h(Buffer.from(text)))
  const envelope = {
    project: 'default', stream: 'release/rel_1', position: 3, prev: '', type: 'ApprovalGiven', v: 1,
    at: 1795525320000000, actor: 'per_1', via: 'session', body_digest: digest(canonical(body)),
  }
  const leaf = h(new Uint8Array([0]), Buffer.from(canonical(envelope)))
  const other = h(new Uint8Array([9]))
  const root = h(one, other, leaf)
  const entry: LedgerEntry = { index: 1, at: '2026-11-24T13:02:00Z', leaf: asDigest(leaf), envelope, body }
  const proof = { type: 'inclusion' as const, leafIndex: 1, treeSize: 2, leafHash: '', rootHash: '', hashes: [Buffer.from(other).toString('base64')] }
  const checkpoint = { size: 2, root: asDigest(root) }

  it('is verified', async () => expect((await checkEntry(entry, proof, checkpoint)).map((check) => check.met)).toEqual([true, true, true]))
  it('with another actor is found out', async () => {
    const forged = { ...entry, envelope: { ...envelope, actor: 'per_2' } }
    expect((await checkEntry(forged, proof, checkpoint)).map((check) => check.met)).toEqual([false, false, true])
  })
  it('with another body is found out', async () =>
    expect((await checkEntry({ ...entry, body: { ...body, environment: 'dev' } }, proof, checkpoint)).map((check) => check.met)).toEqual([true, true, false]))
  it('with a proof for another size is found out', async () =>
    expect((await checkEntry(entry, { ...proof, treeSize: 3 }, checkpoint)).map((check) => check.met)).toEqual([true, false, true]))
})
