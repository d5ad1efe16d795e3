// Single-key shortcuts. They can be switched off (WCAG 2.1.4), and never act while somebody types or a dialog is open.

import { useEffect, useSyncExternalStore } from 'react'

export interface Shortcut {
  keys: string
  does: string
  act: () => void
}

const registered = new Set<Shortcut[]>()
const watchers = new Set<() => void>()
let waitingFor = ''
let forget: ReturnType<typeof setTimeout> | undefined

const STORED = 'holdpoint.keys'

export function keysOn(): boolean {
  return localStorage.getItem(STORED) !== 'off'
}

export function switchKeys(on: boolean) {
  localStorage.setItem(STORED, on ? 'on' : 'off')
  watchers.forEach((tell) => tell())
}

export function useKeysOn(): boolean {
  return useSyncExternalStore((tell) => {
    watchers.add(tell)
    return () => watchers.delete(tell)
  }, keysOn)
}

function typing(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('input, textarea, select, [contenteditable]') !== null
}

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || !keysOn()) return
  if (typing(event.target) || document.querySelector('dialog[open]')) return
  const pressed = waitingFor ? `${waitingFor} ${event.key}` : event.key
  waitingFor = ''
  clearTimeout(forget)
  const all = [...registered].reverse().flat()
  const hit = all.find((shortcut) => shortcut.keys === pressed)
  if (hit) {
    event.preventDefault()
    hit.act()
  } else if (all.some((shortcut) => shortcut.keys.startsWith(`${pressed} `))) {
    waitingFor = pressed
    forget = setTimeout(() => (waitingFor = ''), 1200)
  }
})

/** Shortcuts that hold while the caller is shown. */
export function useShortcuts(shortcuts: Shortcut[]) {
  useEffect(() => {
    registered.add(shortcuts)
    return () => void registered.delete(shortcuts)
  })
}

/** All that hold now, for the list. */
export function shortcutsNow(): Shortcut[] {
  return [...registered].flat()
}

/** Moves the focus among everything marked `data-row`. */
export function moveRow(step: 1 | -1) {
  const rows = [...document.querySelectorAll<HTMLElement>('main [data-row]')]
  const now = document.activeElement?.closest('[data-row-group]')?.querySelector('[data-row]') ?? document.activeElement
  const i = rows.findIndex((row) => row === now)
  const next = i < 0 ? rows.find((row) => row.getBoundingClientRect().top >= 0) : rows[i + step]
  next?.focus()
}
