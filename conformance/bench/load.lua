-- Requests from a list of presigned URLs, one list for each thread; a list is
-- read again from its start, but FILL ends with it.
-- Bodies are random and never repeat.
local threads = 0
function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(args)
  method, size = args[1], tonumber(args[3])
  urls = io.open(args[2] .. number, "r")
  local random = io.open("/dev/urandom", "rb")
  pool = random:read(1048576)
  count = 0
  last = nil
end

function request()
  local url = urls:read("*l")
  if url == nil then
    if method == "FILL" then
      os.exit(0)
    end
    urls:seek("set", 0)
    url = urls:read("*l")
  end
  local body = nil
  if method ~= "GET" then
    count = count + 1
    local at = (count * 7919) % (1048576 - size)
    body = string.format("%08x%016x", number, count) .. pool:sub(at + 25, at + size)
  end
  last = wrk.format(method == "GET" and "GET" or "PUT", url, nil, body)
  return last
end
