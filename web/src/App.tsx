// The table of contents: which address shows which page.

import type { ReactNode } from 'react'
import { match } from './addresses'
import { Session } from './api/session'
import { Skeleton } from './parts/Page'
import { RefusalNote } from './parts/Refusal'
import { Porch, Shell } from './parts/Shell'
import { People } from './pages/account/People'
import { SetUp } from './pages/account/SetUp'
import { SignIn } from './pages/account/SignIn'
import { Environments } from './pages/environments/Environments'
import { Freezes } from './pages/governance/Freezes'
import { BoardPage } from './pages/orchestration/Board'
import { RunPage } from './pages/orchestration/Run'
import { ReleasePage } from './pages/planning/Release'
import { Releases } from './pages/planning/Releases'
import { Audit } from './pages/review/Audit'
import { EntryPage } from './pages/review/Entry'
import { Nowhere } from './pages/Nowhere'
import { useAddress } from './router'

type Page = (found: Record<string, string>) => ReactNode

const PORCH: [string, Page][] = [
  ['/setup', () => <SetUp />],
  ['/signin', () => <SignIn />],
]

const PAGES: [string, Page][] = [
  ['/', () => <BoardPage />],
  ['/releases', () => <Releases />],
  ['/releases/:id/:section?', ({ id, section }) => <ReleasePage key={id} id={id!} section={section ?? 'gates'} />],
  ['/runs/:id', ({ id }) => <RunPage key={id} id={id!} />],
  ['/audit', () => <Audit />],
  ['/audit/:index', ({ index }) => <EntryPage key={index} index={Number(index)} />],
  ['/freezes', () => <Freezes />],
  ['/environments', () => <Environments />],
  ['/people', () => <People />],
]

function find(pages: [string, Page][], path: string): ReactNode {
  for (const [pattern, page] of pages) {
    const found = match(pattern, path)
    if (found) return page(found)
  }
  return null
}

export function App() {
  const path = useAddress().pathname
  const porch = find(PORCH, path)
  if (porch) return <Porch>{porch}</Porch>
  return (
    <Session
      otherwise={(again, refusal) => (
        <Porch>{refusal && refusal.status !== 401 ? <RefusalNote refusal={refusal} again={again} /> : <Skeleton rows={3} />}</Porch>
      )}
    >
      <Shell>{find(PAGES, path) ?? <Nowhere path={path} />}</Shell>
    </Session>
  )
}
