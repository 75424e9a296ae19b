-- Hands out the requests of a file, one after the other; prints what came back as one line of JSON.
-- Arguments: the file, the bytes of one request.

-- Global: the only kind that `thread:get` sees.
handed = 0

local threads = {}
local file, size

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  file = assert(io.open(args[1], 'rb'))
  file:setvbuf('full', 262144)
  size = tonumber(args[2])
end

function request()
  local text = file:read(size)
  if text == nil then
    -- Out of requests: the first ones again. They are answered as replays, and the round does not count.
    file:seek('set', 0)
    text = file:read(size)
  end
  handed = handed + 1
  return text
end

function done(summary, latency, requests)
  local sent = 0
  for _, thread in ipairs(threads) do sent = sent + thread:get('handed') end
  local errors = summary.errors
  io.write(string.format(
    '\n{"answers":%d,"notOk":%d,"broken":%d,"handed":%d,"elapsedMs":%.3f,"p50Ms":%.3f,"p99Ms":%.3f,"maxMs":%.3f}\n',
    summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout, sent,
    summary.duration / 1000, latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end
