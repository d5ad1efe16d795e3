// The list of shortcuts that hold on this page, and the switch that turns them off.

import { shortcutsNow, switchKeys, useKeysOn } from '../keys'
import { Dialog } from './Dialog'

export function Shortcuts({ onClose }: { onClose: () => void }) {
  const on = useKeysOn()
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      <label className="check">
        <input type="checkbox" checked={on} onChange={(event) => switchKeys(event.target.checked)} />
        Single keys act on this device
      </label>
      <dl className="shortcuts">
        {shortcutsNow().map(({ keys, does }) => (
          <div key={keys}>
            <dt>
              {keys.split(' ').map((key, i) => (
                <kbd key={i}>{key}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
        <div>
          <dt>
            <kbd>Enter</kbd>
          </dt>
          <dd>Open the row</dd>
        </div>
      </dl>
    </Dialog>
  )
}
