import { sentence } from '../words/figures'
import { THEMES, useTheme, type Theme } from '../theme'

/** Light, dark, or as the system is. */
export function ThemeSwitch() {
  const [theme, wear] = useTheme()
  return (
    <label className="theme">
      <span className="unseen">Theme</span>
      <select value={theme} onChange={(event) => wear(event.target.value as Theme)}>
        {THEMES.map((one) => (
          <option key={one} value={one}>
            {sentence(one)}
          </option>
        ))}
      </select>
    </label>
  )
}
