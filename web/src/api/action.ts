// One thing the user wants done. The key stays the same until it is done, so that sending it twice does it once.

import { useCallback, useRef, useState } from 'react'
import { asRefusal, change, newKey, Refused, type Mutation } from './client'
import type { Refusal } from './types'

export interface Action<T> {
  run: (path: string, mutation?: Mutation) => Promise<T | undefined>
  busy: boolean
  refusal: Refusal | undefined
  clear: () => void
}

export function useAction<T = unknown>(done?: (answer: T) => void): Action<T> {
  const [busy, setBusy] = useState(false)
  const [refusal, setRefusal] = useState<Refusal>()
  const sent = useRef<{ what: string; key: string } | null>(null)

  const run = async (path: string, mutation: Mutation = {}) => {
    const what = JSON.stringify([path, mutation.method, mutation.body])
    if (sent.current?.what !== what) sent.current = { what, key: newKey() }
    setBusy(true)
    setRefusal(undefined)
    try {
      const answer = await change<T>(path, { key: sent.current.key, ...mutation })
      sent.current = null
      done?.(answer)
      return answer
    } catch (fault) {
      if (fault instanceof Refused) sent.current = null
      setRefusal(asRefusal(fault))
      return undefined
    } finally {
      setBusy(false)
    }
  }
  return { run, busy, refusal, clear: useCallback(() => setRefusal(undefined), []) }
}
