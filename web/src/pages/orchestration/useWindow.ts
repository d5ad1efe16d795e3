// Only the rows in view are in the document. Works for whichever element scrolls.

import { useEffect, useLayoutEffect, useState, type RefObject } from 'react'

/** First and last+1 of the rows to draw, for a list whose top is at `top` in a view `view` pixels high. */
export function rangeOf(top: number, view: number, count: number, height: number, spare: number): [number, number] {
  const first = Math.floor(Math.max(0, -top) / height)
  const last = Math.ceil(Math.max(0, view - top) / height)
  return [Math.min(count, Math.max(0, first - spare)), Math.min(count, last + spare)]
}

const SPARE = 8

export function useWindow(list: RefObject<HTMLElement | null>, count: number, height: number): [number, number] {
  const [range, setRange] = useState<[number, number]>([0, Math.min(count, 24)])
  const measure = () => {
    const top = list.current?.getBoundingClientRect().top ?? 0
    const next = printing ? ([0, count] as [number, number]) : rangeOf(top, innerHeight, count, height, SPARE)
    setRange((old) => (old[0] === next[0] && old[1] === next[1] ? old : next))
  }
  useLayoutEffect(measure)
  useEffect(() => {
    const options = { capture: true, passive: true }
    document.addEventListener('scroll', measure, options)
    addEventListener('resize', measure)
    printers.add(measure)
    return () => {
      document.removeEventListener('scroll', measure, options)
      removeEventListener('resize', measure)
      printers.delete(measure)
    }
  })
  return [Math.min(range[0], count), Math.min(range[1], count)]
}

const printers = new Set<() => void>()
let printing = false
function print(on: boolean) {
  printing = on
  printers.forEach((measure) => measure())
}
if (typeof addEventListener === 'function') {
  addEventListener('beforeprint', () => print(true))
  addEventListener('afterprint', () => print(false))
}
