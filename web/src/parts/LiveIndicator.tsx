// Whether what is shown follows what happens. A stale page says so, and since when.

import { useLiveness } from '../api/live'
import { minute } from '../words/time'
import { Icon } from './Icon'

export function LiveIndicator() {
  const { state, since } = useLiveness()
  const words =
    state === 'live' ? 'Live' : state === 'connecting' ? 'Connecting' : since ? `Not live since ${minute(since)}; trying again` : 'Not live; trying again'
  return (
    <span className={`live ${state}`} role="status">
      <Icon name={state === 'stale' ? 'unknown' : 'live'} />
      {words}
    </span>
  )
}
