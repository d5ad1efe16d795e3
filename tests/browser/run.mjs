// One Chromium, driven by JSON lines: {id, do, page, …} on standard input, {id, ok, value | error} on standard output.
// Rust row tests (crates/testkit/src/browser.rs) are the only caller. Elements are found by role, name and label as a
// person would, never by class or test id.
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { chromium } from 'playwright-core'

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const patience = Number(process.env.HOLDPOINT_PATIENCE_MS ?? 5000)

const browser = await chromium.launch({
  executablePath: process.env.HOLDPOINT_CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--force-color-profile=srgb', '--font-render-hinting=none'],
})
const pages = new Map()
let count = 0

async function open({ width, height, theme, base, cookies }) {
  const context = await browser.newContext({
    viewport: { width, height }, colorScheme: theme, reducedMotion: 'reduce', locale: 'en-GB', timezoneId: 'Europe/Berlin', baseURL: base,
  })
  if (cookies?.length) await context.addCookies(cookies.map(([name, value]) => ({ name, value, url: base })))
  const page = await context.newPage()
  page.setDefaultTimeout(patience)
  const problems = []
  page.on('console', (message) => { if (message.type() === 'error') problems.push(`console: ${message.text()}`) })
  page.on('pageerror', (error) => problems.push(`exception: ${error.message}`))
  page.on('requestfailed', (request) => {
    // A page that navigates away ends its own live streams.
    if (request.failure()?.errorText !== 'net::ERR_ABORTED') problems.push(`request: ${request.method()} ${request.url()} ${request.failure()?.errorText}`)
  })
  const key = `p${++count}`
  pages.set(key, { page, problems })
  return key
}

const byRole = (page, { role, name, exact = true, within }) => {
  const scope = within ? page.getByRole(within.role, within.name === undefined ? {} : { name: within.name }) : page
  return scope.getByRole(role, name === undefined || name === null ? {} : { name, exact })
}

const commands = {
  goto: async ({ page }, { url }) => { const answer = await page.goto(url, { waitUntil: 'load' }); return answer?.status() ?? null },
  reload: ({ page }) => page.reload().then(() => null),
  url: ({ page }) => page.url(),
  title: ({ page }) => page.title(),
  click: ({ page }, how) => byRole(page, how).click(),
  fill: ({ page }, { label, text }) => page.getByLabel(label, { exact: true }).fill(text),
  select: ({ page }, { label, text }) => page.getByLabel(label, { exact: true }).selectOption({ label: text }).then(() => null),
  check: ({ page }, { label, on }) => page.getByLabel(label, { exact: true }).setChecked(on),
  press: ({ page }, { key }) => page.keyboard.press(key),
  type: ({ page }, { text }) => page.keyboard.type(text),
  seesText: ({ page }, { text, limit }) => page.getByText(text).filter({ visible: true }).first().waitFor({ state: 'visible', timeout: limit ?? patience }),
  seesNoText: ({ page }, { text }) => page.getByText(text).first().waitFor({ state: 'hidden' }),
  sees: ({ page }, how) => byRole(page, how).first().waitFor({ state: 'visible', timeout: how.limit ?? patience }),
  count: ({ page }, how) => byRole(page, how).count(),
  text: ({ page }, how) => byRole(page, how).first().innerText(),
  allText: ({ page }) => page.locator('body').innerText(),
  disabled: ({ page }, how) => byRole(page, how).first().isDisabled(),
  // What a screen reader would say an element is described by: why a button is disabled, for example.
  described: async ({ page }, how) => byRole(page, how).first().evaluate((element) => {
    const ids = (element.getAttribute('aria-describedby') ?? '').split(/\s+/).filter(Boolean)
    return ids.map((id) => document.getElementById(id)?.textContent?.trim() ?? '').join(' ') || element.getAttribute('title') || ''
  }),
  focused: ({ page }) => page.evaluate(() => {
    const element = document.activeElement
    return element ? (element.getAttribute('aria-label') ?? element.textContent ?? element.tagName).trim() : ''
  }),
  viewport: ({ page }, { width, height }) => page.setViewportSize({ width, height }),
  theme: ({ page }, { theme }) => page.emulateMedia({ colorScheme: theme }),
  print: ({ page }, { on }) => page.emulateMedia({ media: on ? 'print' : 'screen' }),
  screenshot: ({ page }, { path }) => page.screenshot({ path, fullPage: true, animations: 'disabled' }).then(() => null),
  // Nothing is wider than the window, apart from what scrolls by itself.
  overflow: ({ page }) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth),
  axe: async ({ page }) => {
    // Pages forbid foreign scripts by their policy; the protocol's own evaluation is not bound by it.
    if (!await page.evaluate(() => 'axe' in window)) await page.evaluate(axeSource)
    const found = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }))
    return found.violations.map(({ id, impact, help, nodes }) => ({ id, impact, help, where: nodes.slice(0, 5).map((node) => `${node.target.join(' ')}: ${node.html.slice(0, 200)}`) }))
  },
  timing: ({ page }) => page.evaluate(() => {
    const [navigation] = performance.getEntriesByType('navigation')
    const paint = performance.getEntriesByName('first-contentful-paint')[0]
    return { load_ms: navigation?.loadEventEnd ?? null, first_paint_ms: paint?.startTime ?? null }
  }),
  cookies: ({ page }) => page.context().cookies(),
  problems: ({ problems }) => problems.splice(0),
  close: ({ page }) => page.context().close(),
}

async function run(command) {
  if (command.do === 'open') return open(command)
  const opened = pages.get(command.page)
  const action = commands[command.do]
  if (!opened || !action) throw new Error(`no page ${command.page} or no command ${command.do}`)
  return action(opened, command)
}

process.stdout.write(`${JSON.stringify({ ready: browser.version() })}\n`)
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line)
  let answer
  try {
    answer = { id: command.id, ok: true, value: (await run(command)) ?? null }
  } catch (error) {
    // Playwright colours its messages.
    answer = { id: command.id, ok: false, error: error.message.replace(/\u001b\[[0-9;]*m/g, '') }
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
await browser.close()
