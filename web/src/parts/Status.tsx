// A state as icon and word. The word is the server's; only its picture and tone are chosen here.

import { sentence } from '../words/figures'
import { Icon, type IconName } from './Icon'

type Tone = 'good' | 'wait' | 'bad' | 'busy' | 'quiet'

const LOOKS: Record<string, [IconName, Tone]> = {
  open: ['open', 'good'], waiting: ['waiting', 'wait'], shut: ['shut', 'bad'],
  done: ['open', 'good'], succeeded: ['open', 'good'], successful: ['open', 'good'], pass: ['open', 'good'], live: ['open', 'good'],
  verified: ['open', 'good'], valid: ['open', 'good'], given: ['open', 'good'], steady: ['open', 'good'], 'successful-with-issues': ['open', 'wait'],
  pending: ['none', 'quiet'], ready: ['waiting', 'quiet'], skipped: ['none', 'quiet'], none: ['none', 'quiet'], empty: ['none', 'quiet'],
  withdrawn: ['none', 'quiet'], superseded: ['next', 'quiet'], ended: ['none', 'quiet'], closed: ['none', 'quiet'], over: ['none', 'quiet'], lifted: ['none', 'quiet'],
  leased: ['running', 'busy'], running: ['running', 'busy'], deploying: ['running', 'busy'],
  held: ['held', 'wait'], holds: ['held', 'wait'], planned: ['waiting', 'quiet'], undecided: ['waiting', 'wait'], 'no-data': ['unknown', 'wait'], partial: ['unknown', 'wait'],
  'rolling-back': ['back', 'bad'], 'rolled-back': ['back', 'bad'], 'backed-out': ['back', 'bad'],
  failed: ['shut', 'bad'], fail: ['shut', 'bad'], refused: ['shut', 'bad'], rejected: ['shut', 'bad'], void: ['shut', 'bad'], 'rollback-failed': ['shut', 'bad'],
  indeterminate: ['unknown', 'bad'],
}

export function Status({ state, word, strong = false }: { state: string; word?: string; strong?: boolean }) {
  const [icon, tone] = LOOKS[state] ?? ['unknown', 'quiet']
  return (
    <span className={`status ${tone}${strong ? ' strong' : ''}`} data-state={state}>
      <Icon name={icon} />
      <span>{word ?? sentence(state)}</span>
    </span>
  )
}
