/** The name, and that it is production where the name alone does not say so. */
export function EnvironmentName({ name, production }: { name: string; production: boolean }) {
  return (
    <>
      {name}
      {production && name !== 'production' && <span className="tag">production</span>}
    </>
  )
}
