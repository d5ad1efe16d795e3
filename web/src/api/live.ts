// One stream of events for the whole page. It says that something happened, never what: whoever shows it reads it again.

import { useEffect, useSyncExternalStore } from 'react'
import type { Happened } from './types'

export interface Liveness {
  state: 'connecting' | 'live' | 'stale'
  /** When it was last live, in ms. */
  since: number | null
}

type Listener = (event: Happened | null) => void

let source: EventSource | null = null
let retry: ReturnType<typeof setTimeout> | undefined
let liveness: Liveness = { state: 'connecting', since: null }
const watchers = new Set<() => void>()
const listeners = new Set<Listener>()

function become(state: Liveness['state']) {
  const lost = liveness.state === 'live' && state !== 'live'
  if (state === liveness.state) return
  liveness = { state, since: lost || state === 'live' ? Date.now() : liveness.since }
  watchers.forEach((tell) => tell())
}

function hear(message: MessageEvent<string>) {
  try {
    const event = JSON.parse(message.data) as Happened
    listeners.forEach((tell) => tell(event))
  } catch {
    listeners.forEach((tell) => tell(null))
  }
}

export function goLive() {
  if (source) return
  const mine = new EventSource('/v1/events')
  source = mine
  mine.onopen = () => {
    const again = liveness.state === 'stale'
    become('live')
    if (again) listeners.forEach((tell) => tell(null))
  }
  mine.onmessage = hear
  mine.onerror = () => {
    become('stale')
    if (mine.readyState === EventSource.CLOSED && source === mine) {
      source = null
      clearTimeout(retry)
      retry = setTimeout(goLive, 3000)
    }
  }
}

export function stopLive() {
  clearTimeout(retry)
  source?.close()
  source = null
  liveness = { state: 'connecting', since: null }
}

export function useLiveness(): Liveness {
  return useSyncExternalStore(
    (tell) => {
      watchers.add(tell)
      return () => watchers.delete(tell)
    },
    () => liveness,
  )
}

/** Calls back on events that concern what is shown; null stands for "anything may have happened". */
export function useHappened(concerns: (stream: string) => boolean, then: () => void) {
  useEffect(() => {
    const listener: Listener = (event) => {
      if (!event || concerns(event.stream)) then()
    }
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }, [concerns, then])
}
