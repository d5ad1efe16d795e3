// Sections with addresses: links, not script tabs, so that each can be sent to a colleague.

import { Link } from '../router'

export interface Section {
  id: string
  title: string
  to: string
  count?: number
}

export function Sections({ label, sections, now }: { label: string; sections: Section[]; now: string }) {
  return (
    <nav className="sections" aria-label={label}>
      <ul>
        {sections.map((section) => (
          <li key={section.id}>
            <Link to={section.to} aria-current={section.id === now ? 'page' : undefined}>
              {section.title}
              {section.count !== undefined && <span className="count"> {section.count}</span>}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  )
}
