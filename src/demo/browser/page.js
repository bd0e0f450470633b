// Keeps the demo's first page up to date without losing what is open, and turns the clock. No dependencies, no inline handlers.

const everyMs = 1000
/** What the server said last about each part, so that only what changed is exchanged. */
const before = new Map()
/** FHIR messages already fetched. */
const loaded = new Map()

for (const part of document.querySelectorAll('[data-live]')) before.set(part.id, part.outerHTML)
document.addEventListener('click', (event) => {
  const button = event.target.closest?.('button[data-advance], button[data-to]')
  if (button) turn(button.dataset.advance ? { advance: button.dataset.advance } : { to: button.dataset.to })
})
document.addEventListener('toggle', (event) => fetchMessage(event.target), true)
setInterval(() => {
  if (!document.hidden && !turning) refresh()
}, everyMs)

let turning = false
async function turn(move) {
  if (turning) return
  turning = true
  document.body.classList.add('turning')
  say('Turning the clock…')
  try {
    const response = await fetch('/clock', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(move),
    })
    if (!response.ok) throw new Error((await response.json()).detail)
    await refresh()
    say('')
    announce()
  } catch (error) {
    say(error.message ?? 'The clock could not be turned.')
  } finally {
    turning = false
    document.body.classList.remove('turning')
  }
}

let asking
async function refresh() {
  asking ??= exchangeParts().finally(() => {
    asking = undefined
  })
  return asking
}

async function exchangeParts() {
  let text
  try {
    const response = await fetch('/', { headers: { accept: 'text/html' } })
    if (!response.ok) return
    text = await response.text()
  } catch {
    say('The demo has stopped. Start it again with npm start, then load this page again.')
    return
  }
  const fresh = new DOMParser().parseFromString(text, 'text/html')
  for (const list of fresh.querySelectorAll('[data-list]')) keepList(document.getElementById(list.id), list)
  for (const part of fresh.querySelectorAll('[data-live]')) keepPart(document.getElementById(part.id), part)
}

/** New children come in where they stand; those that are gone go. */
function keepList(present, fresh) {
  if (!present) return
  for (const child of [...present.children]) if (!fresh.querySelector(`#${CSS.escape(child.id)}`)) child.remove()
  let next = present.firstElementChild
  for (const child of fresh.children) {
    if (next?.id === child.id) next = next.nextElementSibling
    else if (!document.getElementById(child.id)) {
      before.set(child.id, child.outerHTML)
      const copy = document.importNode(child, true)
      copy.classList.add('fresh')
      present.insertBefore(copy, next)
    }
  }
}

function keepPart(present, fresh) {
  const html = fresh.outerHTML
  if (!present || before.get(fresh.id) === html) return
  before.set(fresh.id, html)
  const open = [...present.querySelectorAll('details[open]')].map(({ id }) => id)
  const focused = present.contains(document.activeElement) ? focusOf(document.activeElement) : undefined
  const said = present.querySelector('#said')?.textContent
  const copy = document.importNode(fresh, true)
  if (!['clock', 'journal', 'turns'].includes(copy.id)) copy.classList.add('fresh')
  present.replaceWith(copy)
  for (const id of open) {
    const details = document.getElementById(id)
    if (details) details.open = true
  }
  if (said) say(said)
  if (focused) (document.getElementById(focused.id) ?? document.querySelector(focused.path))?.focus({ preventScroll: true })
}

/** Where the keyboard is: an element with an id, or the summary of a details that has one. */
function focusOf(element) {
  return { id: element.id || '-', path: `#${CSS.escape(element.closest('[id]')?.id ?? '-')} > summary` }
}

async function fetchMessage(details) {
  const address = details.dataset?.load
  if (!address || !details.open) return
  const place = details.querySelector('pre')
  if (!loaded.has(address)) loaded.set(address, JSON.stringify(await (await fetch(address)).json(), null, 2))
  place.textContent = loaded.get(address)
}

/** For whoever listens to the page: what it says now. */
function announce() {
  const now = document.querySelector('#clock .time strong')?.textContent ?? ''
  const happened = document.querySelector('#journal h2 small')?.textContent ?? 'nothing new'
  document.getElementById('announce').textContent = `It is now ${now}: ${happened}.`
}

function say(words) {
  const place = document.getElementById('said')
  if (place && place.textContent !== words) place.textContent = words
}
