// An instant: in the viewer's zone, with the environment's zone on hover; or how long ago.

import { useSyncExternalStore } from 'react'
import { age, bothZones, brief, span } from '../words/time'

const watchers = new Set<() => void>()
let now = Date.now()
setInterval(() => {
  now = Date.now()
  watchers.forEach((tell) => tell())
}, 15_000)

export function useNow(): number {
  return useSyncExternalStore(
    (tell) => {
      watchers.add(tell)
      return () => watchers.delete(tell)
    },
    () => now,
  )
}

export function When({ at, zone }: { at: string; zone?: string | undefined }) {
  return (
    <time dateTime={at} title={bothZones(at, zone)} className="when">
      {brief(at)}
    </time>
  )
}

/** How long ago; `bare` leaves the "ago" to the column it stands in. */
export function Age({ at, zone, bare = false }: { at: string; zone?: string | undefined; bare?: boolean }) {
  const mine = useNow()
  return (
    <time dateTime={at} title={bothZones(at, zone)} className="when">
      {bare ? span(mine - Date.parse(at)) : age(at, mine)}
    </time>
  )
}
