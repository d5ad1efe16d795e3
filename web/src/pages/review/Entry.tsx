// One entry of the ledger: envelope, body, and the proof that it is in the log, checked here in the browser.

import { at, asRefusal, read } from '../../api/client'
import { useResource } from '../../api/resource'
import { useEffect, useState } from 'react'
import type { Checkpoint, InclusionProof, LedgerEntry, LedgerPage, Refusal } from '../../api/types'
import { DigestText } from '../../parts/DigestText'
import { Facts } from '../../parts/Facts'
import { Heading, Loaded } from '../../parts/Page'
import { RefusalNote } from '../../parts/Refusal'
import { Status } from '../../parts/Status'
import { When } from '../../parts/When'
import { checkEntry, type Check } from '../../proof/entry'
import { Link } from '../../router'

export function EntryPage({ index }: { index: number }) {
  const page = useResource<LedgerPage>(at`/v1/ledger?before=${index + 1}&limit=1`)
  return (
    <div className="page">
      <Loaded of={page} title="Ledger entry">
        {(data) => {
          const entry = data.entries.find((one) => one.index === index)
          return entry ? <View entry={entry} size={data.size} /> : <Missing index={index} size={data.size} />
        }}
      </Loaded>
    </div>
  )
}

function Missing({ index, size }: { index: number; size: number }) {
  return (
    <>
      <Heading title="No such entry" />
      <p>
        The ledger has {size} entries; there is none with index {String(index)}. <Link to="/audit">Audit</Link> shows the newest.
      </p>
    </>
  )
}

function View({ entry, size }: { entry: LedgerEntry; size: number }) {
  const { envelope } = entry
  return (
    <>
      <Heading title={`Entry ${entry.index}: ${envelope.type}`} />
      <Facts
        facts={[
          ['When', <When key="w" at={entry.at} />],
          ['Who', entry.actor_name ?? envelope.actor],
          ['Through', envelope.via],
          ['Stream', <Link key="s" to={`/audit?stream=${encodeURIComponent(envelope.stream)}`}>{envelope.stream}</Link>],
          ['Leaf', <DigestText key="l" digest={entry.leaf} what="leaf hash" />],
        ]}
      />
      <nav className="pager" aria-label="Entries">
        {entry.index > 0 && <Link to={at`/audit/${entry.index - 1}`}>Previous</Link>}
        {entry.index + 1 < size && <Link to={at`/audit/${entry.index + 1}`}>Next</Link>}
      </nav>
      <Verify entry={entry} />
      <section className="block">
        <h2>Envelope</h2>
        <Json value={envelope} label="Envelope" />
      </section>
      <section className="block">
        <h2>Body</h2>
        {entry.body === undefined ? <p className="dim">The body is not shown to you, or was erased. The proof holds without it.</p> : <Json value={entry.body} label="Body" />}
      </section>
    </>
  )
}

function Json({ value, label }: { value: unknown; label: string }) {
  return (
    <pre className="json" tabIndex={0} aria-label={label}>
      {JSON.stringify(value, null, 2)}
    </pre>
  )
}

interface Proof {
  checks: Check[]
  proof: InclusionProof
  checkpoint: Checkpoint
}

async function prove(entry: LedgerEntry): Promise<Proof> {
  const checkpoint = await read<Checkpoint>('/v1/ledger/checkpoint')
  const proof = await read<InclusionProof>(`/v1/ledger/proof?index=${entry.index}&size=${checkpoint.size}`)
  return { checks: await checkEntry(entry, proof, checkpoint), proof, checkpoint }
}

function Verify({ entry }: { entry: LedgerEntry }) {
  const [found, setFound] = useState<Proof>()
  const [refusal, setRefusal] = useState<Refusal>()
  const [round, setRound] = useState(0)
  useEffect(() => {
    let gone = false
    prove(entry).then(
      (proof) => gone || (setFound(proof), setRefusal(undefined)),
      (fault: unknown) => gone || setRefusal(asRefusal(fault)),
    )
    return () => {
      gone = true
    }
  }, [entry, round])
  const holds = found?.checks.every((check) => check.met)
  return (
    <section className="block">
      <div className="head">
        <h2>Proof</h2>
        <span role="status">{found && <Status strong state={holds ? 'verified' : 'failed'} word={holds ? 'Verified in your browser' : 'Does not hold'} />}</span>
      </div>
      <p className="dim">
        Computed here from the envelope, not taken from the server. The checkpoint's signature is checked offline with the root key: <code>holdpoint ledger verify</code>.
      </p>
      <RefusalNote refusal={refusal} again={() => setRound(round + 1)} />
      {found && (
        <>
          <ul className="atoms">
            {found.checks.map((check) => (
              <li key={check.title}>
                <Status state={check.met ? 'verified' : 'failed'} word={check.met ? 'Holds' : 'Fails'} />
                <span>
                  {check.title}
                  <span className="found">{check.found}</span>
                </span>
              </li>
            ))}
          </ul>
          <div className="actions">
            <button type="button" onClick={() => setRound(round + 1)}>
              Verify again
            </button>
            <Save proof={found.proof} index={entry.index} />
          </div>
        </>
      )}
    </section>
  )
}

function Save({ proof, index }: { proof: InclusionProof; index: number }) {
  const save = () => {
    const url = URL.createObjectURL(new Blob([JSON.stringify(proof, null, 2)], { type: 'application/json' }))
    const link = Object.assign(document.createElement('a'), { href: url, download: `inclusion-${index}.json` })
    link.click()
    setTimeout(() => URL.revokeObjectURL(url), 1000)
  }
  return (
    <button type="button" onClick={save}>
      Download the inclusion proof
    </button>
  )
}
