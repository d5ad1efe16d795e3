// Addresses and links. Every page can be sent to a colleague; a change of page moves the focus to its heading.

import { useSyncExternalStore, type AnchorHTMLAttributes, type MouseEvent } from 'react'

const watchers = new Set<() => void>()

function tell() {
  watchers.forEach((watcher) => watcher())
}

addEventListener('popstate', tell)

export function here(): string {
  return location.pathname + location.search
}

/** Goes to another address of this page. */
export function go(to: string, replace = false) {
  const target = new URL(to, location.href)
  if (target.pathname + target.search === here()) return
  const samePage = target.pathname === location.pathname
  history[replace ? 'replaceState' : 'pushState'](null, '', to)
  if (!samePage) scrollTo(0, 0)
  tell()
}

export function useAddress(): URL {
  const href = useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher)
      return () => watchers.delete(watcher)
    },
    () => location.pathname + location.search,
  )
  return new URL(href, location.origin)
}

export function Link({ to, onClick, ...rest }: { to: string } & AnchorHTMLAttributes<HTMLAnchorElement>) {
  const click = (event: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event)
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    event.preventDefault()
    go(to)
  }
  return <a href={to} onClick={click} {...rest} />
}
