// Light, dark, or what the system says; remembered on this device.

import { useSyncExternalStore } from 'react'

export type Theme = 'system' | 'light' | 'dark'
export const THEMES: Theme[] = ['system', 'light', 'dark']

const STORED = 'holdpoint.theme'
const watchers = new Set<() => void>()

function theme(): Theme {
  const stored = localStorage.getItem(STORED)
  return THEMES.find((one) => one === stored) ?? 'system'
}

export function wear() {
  const now = theme()
  if (now === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = now
}

export function useTheme(): [Theme, (next: Theme) => void] {
  const now = useSyncExternalStore((tell) => {
    watchers.add(tell)
    return () => watchers.delete(tell)
  }, theme)
  return [
    now,
    (next) => {
      localStorage.setItem(STORED, next)
      wear()
      watchers.forEach((tell) => tell())
    },
  ]
}
