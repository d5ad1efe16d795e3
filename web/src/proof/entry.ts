// What the browser can find out by itself about one ledger entry, as a list of named checks.

import type { Checkpoint, InclusionProof, LedgerEntry } from '../api/types'
import { canonical } from './canonical'
import { asDigest, hashBytes, leafHash, rootOf, same, sha256, utf8 } from './merkle'

export interface Check {
  title: string
  met: boolean
  found: string
}

export async function checkEntry(entry: LedgerEntry, proof: InclusionProof, checkpoint: Checkpoint): Promise<Check[]> {
  const leaf = await leafHash(entry.envelope)
  const path = proof.hashes.map(hashBytes)
  const fits = proof.leafIndex === entry.index && proof.treeSize === checkpoint.size && !path.includes(null)
  const root = fits ? await rootOf(proof.leafIndex, proof.treeSize, leaf, path.map((hash) => hash!)) : null
  const checks: Check[] = [
    {
      title: 'The envelope has this leaf hash',
      met: same(leaf, hashBytes(entry.leaf)),
      found: `computed ${asDigest(leaf)}, the ledger says ${entry.leaf}`,
    },
    {
      title: `The leaf is entry ${entry.index} of the ${checkpoint.size} under the checkpoint's root`,
      met: same(root, hashBytes(checkpoint.root)),
      found: root
        ? `the path of ${path.length} hashes leads to ${asDigest(root)}, the checkpoint says ${checkpoint.root}`
        : `the path of ${path.length} hashes does not fit index ${proof.leafIndex} and size ${proof.treeSize}`,
    },
  ]
  if (entry.body !== undefined) {
    const body = await sha256(utf8(canonical(entry.body)))
    checks.push({
      title: 'The body is the one that the envelope names',
      met: same(body, hashBytes(entry.envelope.body_digest)),
      found: `computed ${asDigest(body)}, the envelope says ${entry.envelope.body_digest}`,
    })
  }
  return checks
}
