// What a page shows: read once, kept while it is read again, read again when an event concerns it.

import { useCallback, useEffect, useRef, useState } from 'react'
import { asRefusal, read } from './client'
import { useHappened } from './live'
import type { Refusal } from './types'

export interface Resource<T> {
  data: T | undefined
  refusal: Refusal | undefined
  /** When `data` was read, in ms. */
  at: number
  again: () => void
}

const kept = new Map<string, { data: unknown; at: number }>()

/** Forgets everything: somebody else may sign in. */
export function forget() {
  kept.clear()
}

const GAP_MS = 400

export function useResource<T>(path: string | null, concerns: (stream: string) => boolean = nothing, every_ms?: number): Resource<T> {
  const [state, set] = useState(() => start<T>(path))
  const shown = state.path === path ? state : start<T>(path)
  const busy = useRef<AbortController | null>(null)
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)

  const load = useCallback(async () => {
    if (!path) return
    busy.current?.abort()
    const mine = (busy.current = new AbortController())
    try {
      const data = await read<T>(path, mine.signal)
      if (mine.signal.aborted) return
      kept.set(path, { data, at: Date.now() })
      set({ path, data, refusal: undefined, at: Date.now() })
    } catch (fault) {
      if (mine.signal.aborted) return
      set((old) => ({ ...(old.path === path ? old : start<T>(path)), refusal: asRefusal(fault) }))
    }
  }, [path])

  const soon = useCallback(() => {
    if (timer.current) return
    timer.current = setTimeout(() => {
      timer.current = undefined
      void load()
    }, GAP_MS)
  }, [load])

  useEffect(() => {
    void load()
    return () => {
      busy.current?.abort()
      clearTimeout(timer.current)
      timer.current = undefined
    }
  }, [load])
  useHappened(concerns, soon)
  useEffect(() => {
    if (!every_ms) return
    const tick = setInterval(() => !document.hidden && void load(), every_ms)
    return () => clearInterval(tick)
  }, [every_ms, load])

  return { data: shown.data, refusal: shown.refusal, at: shown.at, again: load }
}

interface State<T> {
  path: string | null
  data: T | undefined
  refusal: Refusal | undefined
  at: number
}

function start<T>(path: string | null): State<T> {
  const old = path ? kept.get(path) : undefined
  return { path, data: old?.data as T | undefined, refusal: undefined, at: old?.at ?? 0 }
}

function nothing() {
  return false
}

export function anything() {
  return true
}
