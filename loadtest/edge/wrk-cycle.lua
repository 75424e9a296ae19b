-- Sends the requests of a file round and round; prints what came back as one line of JSON.
-- Argument: the file, each request behind eight digits of length.

local requests, at = {}, 0

function init(args)
  local file = assert(io.open(args[1], 'rb'))
  for digits in function() return file:read(8) end do
    requests[#requests + 1] = file:read(tonumber(digits))
  end
  file:close()
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('\n{"answers":%d,"notOk":%d,"broken":%d,"elapsedMs":%.3f,"p50Ms":%.3f,"p99Ms":%.3f}\n',
    summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1000, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
