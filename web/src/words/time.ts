// Instants and spans as words. Always with a zone; ages are short and their full instant is in the title.

const viewer = Intl.DateTimeFormat().resolvedOptions().timeZone

const FULL: Intl.DateTimeFormatOptions = {
  weekday: 'short', day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', timeZoneName: 'short',
}

// Making a formatter costs a hundred times what using one does, and a board shows hundreds of instants.
const made = new Map<string, Intl.DateTimeFormat>()

function formatter(options: Intl.DateTimeFormatOptions, zone: string): Intl.DateTimeFormat {
  const key = `${zone} ${Object.keys(options).join()}`
  let known = made.get(key)
  if (!known) {
    try {
      known = new Intl.DateTimeFormat('en-GB', { ...options, hourCycle: 'h23', timeZone: zone })
    } catch {
      known = new Intl.DateTimeFormat('en-GB', { ...options, hourCycle: 'h23', timeZone: 'UTC' })
    }
    made.set(key, known)
  }
  return known
}

function format(instant: string | number, options: Intl.DateTimeFormatOptions, zone?: string): string {
  const date = new Date(instant)
  return Number.isNaN(date.getTime()) ? String(instant) : formatter(options, zone ?? viewer).format(date)
}

/** "Tue, 24 Nov 2026, 14:02 CET" in the viewer's zone, or in a named one. */
export function full(instant: string | number, zone?: string): string {
  return format(instant, FULL, zone)
}

/** "24 Nov, 14:02 CET"; the year where it is not this one. */
export function brief(instant: string | number, now = Date.now(), zone?: string): string {
  const sameYear = new Date(instant).getUTCFullYear() === new Date(now).getUTCFullYear()
  return format(
    instant,
    { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', timeZoneName: 'short', ...(sameYear ? {} : { year: 'numeric' }) },
    zone,
  )
}

/** "14:02:09". */
export function clock(instant: string | number): string {
  return format(instant, { hour: '2-digit', minute: '2-digit', second: '2-digit' })
}

/** "14:02". */
export function minute(instant: string | number): string {
  return format(instant, { hour: '2-digit', minute: '2-digit' })
}

/** What the title of a time says: both zones where they differ. */
export function bothZones(instant: string, zone?: string): string {
  const mine = full(instant)
  return zone && zone !== viewer ? `${mine} (yours) · ${full(instant, zone)} (${zone})` : mine
}

/** "42 s", "3 min", "5 h", "12 d". */
export function span(ms: number): string {
  const s = Math.max(0, ms) / 1000
  if (s < 10) return `${s.toFixed(1)} s`
  if (s < 90) return `${Math.round(s)} s`
  if (s < 5400) return `${Math.round(s / 60)} min`
  if (s < 129_600) return `${Math.round(s / 3600)} h`
  return `${Math.round(s / 86_400)} d`
}

/** "just now", "3 min ago", "in 5 h". */
export function age(instant: string | number, now = Date.now()): string {
  const ms = now - new Date(instant).getTime()
  if (Number.isNaN(ms)) return String(instant)
  if (Math.abs(ms) < 10_000) return 'just now'
  return ms > 0 ? `${span(ms)} ago` : `in ${span(-ms)}`
}

/** The value of a datetime-local field, read in the viewer's zone. */
export function fromField(value: string): string {
  const date = new Date(value)
  return Number.isNaN(date.getTime()) ? '' : date.toISOString()
}

export function toField(ms: number): string {
  const date = new Date(ms)
  const two = (n: number) => String(n).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}`
}

export function viewerZone(): string {
  return viewer
}
