import { Heading } from '../parts/Page'
import { Link } from '../router'

export function Nowhere({ path }: { path: string }) {
  return (
    <div className="page">
      <Heading title="No such page" />
      <p>
        There is nothing at <code>{path}</code>. The <Link to="/">board</Link> shows every service.
      </p>
    </div>
  )
}
