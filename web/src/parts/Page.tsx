// The frame of every page: its title, its heading (which takes the focus when the page changes), what is not there yet.

import { useEffect, useRef, type ReactNode } from 'react'
import type { Resource } from '../api/resource'
import { RefusalNote } from './Refusal'

let first = true

export function Heading({ title, children }: { title: string; children?: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = `${title} · Holdpoint`
  }, [title])
  useEffect(() => {
    if (!first) heading.current?.focus({ preventScroll: true })
    first = false
  }, [])
  return (
    <h1 ref={heading} tabIndex={-1}>
      {children ?? title}
    </h1>
  )
}

/** Shows what was read; before that a skeleton, and the reason where there is nothing. `title`: for pages whose heading is read, too. */
export function Loaded<T>({ of, rows = 6, title, children }: { of: Resource<T>; rows?: number; title?: string; children: (data: T) => ReactNode }) {
  return (
    <>
      {title && of.data === undefined && of.refusal && <Heading title={title} />}
      <RefusalNote refusal={of.refusal} again={of.again} />
      {of.data !== undefined ? children(of.data) : !of.refusal && <Skeleton rows={rows} />}
    </>
  )
}

/** Appears after 100 ms, so that what is quick does not flicker. */
export function Skeleton({ rows = 6 }: { rows?: number }) {
  return (
    <div className="skeleton" role="status">
      <span className="unseen">Loading</span>
      {Array.from({ length: rows }, (_, i) => (
        <span key={i} className="bar" />
      ))}
    </div>
  )
}
