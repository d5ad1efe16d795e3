// What the server's background check found in the ledger and in stored files, with what to do; and how far it has come.

import { useResource } from '../../api/resource'
import type { Scrub } from '../../api/types'
import { Icon } from '../../parts/Icon'
import { When } from '../../parts/When'
import { plural } from '../../words/figures'

const often = () => true

export function Findings() {
  const scrub = useResource<Scrub>('/v1/ledger/scrub', often).data
  if (!scrub) return null
  const { ledger, blobs } = scrub
  return (
    <section className="block" aria-labelledby="check">
      <h2 id="check">Background check</h2>
      <Found
        found={ledger.differences}
        what={`The ledger is not what was sealed: ${plural(ledger.differences.length, 'place')}.`}
        unblock="Trust nothing that was decided since. Compare with a checkpoint that was kept elsewhere, then restore a backup; holdpoint rebuild --compare lists every place."
      />
      <Found
        found={blobs.differences}
        what={blobs.differences.length === 1 ? '1 stored file is not what its name says.' : `${blobs.differences.length} stored files are not what their names say.`}
        unblock="Nobody is served these files any more. Restore each from a backup: below blobs/sha256, the first two digits of the digest are the folder."
      />
      <p>
        {scrub.verdict === 'sound' && 'Nothing was found that is not as it was stored. '}
        <Round of="the ledger" at={ledger.round_at} sofar={plural(ledger.facts, 'entry', 'entries')} />{' '}
        <Round of="the stored files" at={blobs.round_at} sofar={plural(blobs.read, 'file')} />
      </p>
    </section>
  )
}

function Round({ of, at, sofar }: { of: string; at: string | null; sofar: string }) {
  if (!at) return <>The first round through {of} is under way: {sofar} so far.</>
  return (
    <>
      The last whole round through {of} ended on <When at={at} />.
    </>
  )
}

function Found({ found, what, unblock }: { found: string[]; what: string; unblock: string }) {
  if (found.length === 0) return null
  return (
    <div className="refusal" role="alert">
      <Icon name="shut" />
      <div>
        <p>{what}</p>
        <ul>
          {found.map((one) => (
            <li key={one}>
              <code className="code">{one}</code>
            </li>
          ))}
        </ul>
        <p className="unblock">{unblock}</p>
      </div>
    </div>
  )
}
