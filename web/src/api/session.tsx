// Who is signed in. Everything below it may rely on there being somebody.

import { createContext, useContext, useEffect, type ReactNode } from 'react'
import { go, here } from '../router'
import { carryToken, onSignedOut } from './client'
import { goLive, stopLive } from './live'
import { forget, useResource } from './resource'
import type { Me, Refusal } from './types'

const Signed = createContext<Me | null>(null)

export function useMe(): Me {
  const me = useContext(Signed)
  if (!me) throw new Error('This page is only for somebody who is signed in.')
  return me
}

export function toSignIn() {
  stopLive()
  forget()
  const path = here()
  if (!path.startsWith('/signin') && !path.startsWith('/setup')) go(path === '/' ? '/signin' : `/signin?next=${encodeURIComponent(path)}`, true)
}

export function Session({ children, otherwise }: { children: ReactNode; otherwise: (again: () => void, refusal: Refusal | undefined) => ReactNode }) {
  onSignedOut(toSignIn)
  const me = useResource<Me>('/v1/me', isPerson)
  if (me.data) carryToken(me.data.csrf)
  const known = !!me.data
  useEffect(() => {
    if (known) goLive()
  }, [known])
  if (!me.data) return otherwise(me.again, me.refusal)
  return <Signed value={me.data}>{children}</Signed>
}

function isPerson(stream: string) {
  return stream.startsWith('person/')
}
