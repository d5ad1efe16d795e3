// The log of one step, read on by offset while the step goes on. Text is shown as text: escape codes are taken out.

import { useEffect, useRef, useState } from 'react'
import { asRefusal, at, read } from '../../api/client'
import type { LogChunk, Refusal, Step } from '../../api/types'
import { RefusalNote } from '../../parts/Refusal'

const READ_MS = 1000
const KEPT = 400_000
// eslint-disable-next-line no-control-regex
const ESCAPES = /\u001b\[[0-?]*[ -/]*[@-~]|[\u0000-\u0008\u000b-\u001f\u007f\u202a-\u202e\u2066-\u2069]/g

function useLog(run: string, step: Step) {
  const [text, setText] = useState('')
  const [complete, setComplete] = useState(false)
  const [refusal, setRefusal] = useState<Refusal>()
  useEffect(() => {
    const stop = new AbortController()
    let offset = 0
    let timer: ReturnType<typeof setTimeout>
    const more = async () => {
      let wait = READ_MS
      try {
        const chunk = await read<LogChunk>(`${at`/v1/runs/${run}/steps/${step.id}/log`}?offset=${offset}`, stop.signal)
        if (chunk.text) setText((old) => (old + chunk.text.replace(ESCAPES, '')).slice(-KEPT))
        if (chunk.next_offset > offset && !chunk.complete) wait = 50
        offset = chunk.next_offset
        setRefusal(undefined)
        setComplete(chunk.complete)
        if (chunk.complete) return
      } catch (fault) {
        if (stop.signal.aborted) return
        setRefusal(asRefusal(fault))
        wait = 3 * READ_MS
      }
      timer = setTimeout(() => void more(), wait)
    }
    void more()
    return () => {
      stop.abort()
      clearTimeout(timer)
    }
  }, [run, step.id])
  return { text, complete, refusal }
}

export function StepLog({ run, step }: { run: string; step: Step }) {
  const { text, complete, refusal } = useLog(run, step)
  const [follow, setFollow] = useState(true)
  const box = useRef<HTMLPreElement>(null)
  useEffect(() => {
    if (follow && box.current) box.current.scrollTop = box.current.scrollHeight
  }, [text, follow])
  return (
    <section className="log" aria-labelledby="log-title">
      <div className="log-head">
        <h3 id="log-title">Log of {step.title}</h3>
        <label className="check">
          <input type="checkbox" checked={follow} onChange={(event) => setFollow(event.target.checked)} />
          Follow
        </label>
      </div>
      <RefusalNote refusal={refusal} />
      <pre ref={box} tabIndex={0} aria-label={`Log of ${step.title}`}>
        {text || (complete ? 'It wrote nothing.' : 'Nothing written yet.')}
      </pre>
    </section>
  )
}
