// The header and what holds on every page: navigation, live indicator, theme, shortcuts.

import { useState, type ReactNode } from 'react'
import { change } from '../api/client'
import { useMe } from '../api/session'
import { moveRow, useShortcuts } from '../keys'
import { go, Link, useAddress } from '../router'
import { LiveIndicator } from './LiveIndicator'
import { Shortcuts } from './Shortcuts'
import { ThemeSwitch } from './ThemeSwitch'

const ROOMS: [string, string][] = [
  ['/', 'Board'],
  ['/releases', 'Releases'],
  ['/audit', 'Audit'],
  ['/freezes', 'Freezes'],
  ['/environments', 'Environments'],
]

export function Mark() {
  return (
    <svg viewBox="0 0 32 32" className="mark" aria-hidden="true" focusable="false">
      <path d="M9 7v18M23 7v18M9 16h4.5M18.5 16H23" />
      <circle cx="16" cy="16" r="2.4" />
    </svg>
  )
}

function SkipLink() {
  return (
    <a
      className="skip"
      href="#main"
      onClick={(event) => {
        event.preventDefault()
        document.getElementById('main')?.focus()
      }}
    >
      Skip to the content
    </a>
  )
}

function Account() {
  const me = useMe()
  const signOut = () => void change('/v1/session', { method: 'DELETE' }).finally(() => location.assign('/signin'))
  return (
    <details className="menu" onBlur={(event) => !event.currentTarget.contains(event.relatedTarget) && event.currentTarget.removeAttribute('open')}>
      <summary>
        <span className="unseen">Account: </span>
        {me.handle}
      </summary>
      <div className="menu-box">
        <p>
          <strong>{me.name}</strong>
          <br />
          <span className="dim">{me.roles.join(', ') || 'no roles'}</span>
        </p>
        <ul>
          <li>
            <Link to="/people" onClick={(event) => event.currentTarget.closest('details')?.removeAttribute('open')}>
              People
            </Link>
          </li>
          <li>
            <button type="button" className="quiet" onClick={signOut}>
              Sign out
            </button>
          </li>
        </ul>
      </div>
    </details>
  )
}

export function Shell({ children }: { children: ReactNode }) {
  const path = useAddress().pathname
  const [listed, setListed] = useState(false)
  useShortcuts([
    { keys: 'g b', does: 'Board', act: () => go('/') },
    { keys: 'g r', does: 'Releases', act: () => go('/releases') },
    { keys: 'g a', does: 'Audit', act: () => go('/audit') },
    { keys: 'g f', does: 'Freezes', act: () => go('/freezes') },
    { keys: 'j', does: 'Next row', act: () => moveRow(1) },
    { keys: 'k', does: 'Previous row', act: () => moveRow(-1) },
    { keys: '?', does: 'This list', act: () => setListed(true) },
  ])
  const current = (to: string) => (to === '/' ? path === '/' : path === to || path.startsWith(`${to}/`))
  return (
    <>
      <SkipLink />
      <header className="top">
        <Link to="/" className="brand">
          <Mark />
          Holdpoint
        </Link>
        <nav aria-label="Main">
          <ul>
            {ROOMS.map(([to, name]) => (
              <li key={to}>
                <Link to={to} aria-current={current(to) ? 'page' : undefined}>
                  {name}
                </Link>
              </li>
            ))}
          </ul>
        </nav>
        <div className="top-end">
          <LiveIndicator />
          <ThemeSwitch />
          <button type="button" className="quiet key-list" aria-label="Keyboard shortcuts" onClick={() => setListed(true)}>
            ?
          </button>
          <Account />
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
      {listed && <Shortcuts onClose={() => setListed(false)} />}
    </>
  )
}

/** The page of somebody who is not signed in yet. */
export function Porch({ children }: { children: ReactNode }) {
  return (
    <>
      <header className="top">
        <span className="brand">
          <Mark />
          Holdpoint
        </span>
        <div className="top-end">
          <ThemeSwitch />
        </div>
      </header>
      <main id="main" className="porch" tabIndex={-1}>
        {children}
      </main>
    </>
  )
}

