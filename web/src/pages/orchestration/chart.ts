// Where the evidence line lies. The axis is logarithmic: evidence multiplies.

import type { CanaryPoint } from '../../api/types'

export const HEIGHT = 168
export const LEFT = 64
const TOP = 12
const BOTTOM = HEIGHT - 24

export function chart(points: CanaryPoint[], limit: number, width: number) {
  const times = points.map((point) => Date.parse(point.at))
  const from = Math.min(...times)
  const to = Math.max(...times)
  const cap = (value: number) => (Number.isFinite(value) ? Math.max(value, 1e-2) : 1e12)
  const values = points.map((point) => Math.log10(cap(point.evidence)))
  const low = Math.min(0, Math.floor(Math.min(...values)))
  const high = Math.max(Math.log10(cap(limit)) + 0.5, ...values)
  const x = (time: number) => LEFT + ((time - from) / Math.max(1, to - from)) * (width - LEFT - 6)
  const y = (value: number) => BOTTOM - ((value - low) / (high - low)) * (BOTTOM - TOP)
  const line = points.map((_, i) => `${i ? 'L' : 'M'}${x(times[i]!).toFixed(1)} ${y(values[i]!).toFixed(1)}`).join('')
  const step = Math.max(1, Math.ceil((high - low) / 4))
  const ticks = []
  for (let power = low; power <= high; power += step) ticks.push({ y: y(power), value: 10 ** power })
  const i = points.findIndex((point) => point.evidence >= limit)
  const crossed = i < 0 ? undefined : { at: points[i]!.at, x: x(times[i]!), y: y(values[i]!) }
  return { line, limit: y(Math.log10(cap(limit))), ticks, crossed, from, to }
}
