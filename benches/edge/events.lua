-- The rival of `make bench-edge`: the same events as the filter's, as a good author would write them
-- by hand for LuaJIT. The bench puts a table RULES before this text:
--   {name = 'FILE/RULE', literal = TEXT, order = PATTERN, amount = PATTERN, method = PATTERN}
-- or, for plain lines, one `pattern` with three captures instead of the last three.
-- A plain search for a literal comes before any pattern; what a source or a rule fixes is made once;
-- the second of a time is formatted once. Ids are made of source and time, which is cheaper than the
-- filter's two hashes.

local find, match, gsub, format, byte = string.find, string.match, string.gsub, string.format, string.byte
local date = os.date

local ESCAPES = {['"'] = '\\"', ['\\'] = '\\\\', ['\n'] = '\\n', ['\r'] = '\\r', ['\t'] = '\\t'}

local function escaped(text)
    if not find(text, '[%c"\\]') then
        return text
    end
    return (gsub(text, '[%c"\\]', function(found)
        return ESCAPES[found] or format('\\u%04x', byte(found))
    end))
end

local last_second, last_text
local function rfc3339(time)
    if time.sec ~= last_second then
        last_second = time.sec
        last_text = date('!%Y-%m-%dT%H:%M:%S.', time.sec)
    end
    return format('%s%09dZ', last_text, time.nsec)
end

-- What a source fixes, made when it is seen for the first time.
local function new_source(namespace, pod, container, node)
    local uri = '/' .. namespace .. '/' .. pod .. '/' .. container
    local text = '","seq":"0","source":"' .. escaped(uri) .. '","namespace":"' .. escaped(namespace) .. '"'
    if node then
        text = text .. ',"node":"' .. escaped(node) .. '"'
    end
    return {namespace = namespace, id = uri, text = text}
end

local by_tag, by_pod = {}, {}
local function source_of(tag, record)
    local kubernetes = record.kubernetes
    if kubernetes then
        local key = kubernetes.pod_name .. '/' .. kubernetes.container_name
        local source = by_pod[key]
        if not source then
            source = new_source(kubernetes.namespace_name, kubernetes.pod_name,
                kubernetes.container_name, kubernetes.host)
            by_pod[key] = source
        end
        return source
    end
    local source = by_tag[tag]
    if not source then
        local pod, namespace, container = match(tag, '([^_.]+)_([^_]+)_(.+)%-%x+%.log$')
        source = new_source(namespace, pod, container)
        by_tag[tag] = source
    end
    return source
end

for _, rule in ipairs(RULES) do
    rule.text = ',"rule":"' .. rule.name .. '","datacontenttype":"application/json",' ..
        '"type":"order.changed","subject":"order/'
end
local rules = {shop = RULES}

local function captures(rule, line)
    if rule.pattern then
        return match(line, rule.pattern)
    end
    return match(line, rule.order), match(line, rule.amount), match(line, rule.method)
end

function statetrail_events(tag, time, record)
    local line = record.log
    if not line then
        return -1, time, 0
    end
    local source = source_of(tag, record)
    local applicable = rules[source.namespace]
    if not applicable then
        return -1, time, 0
    end
    for index = 1, #applicable do
        local rule = applicable[index]
        if find(line, rule.literal, 1, true) then
            local order, amount, method = captures(rule, line)
            if order and amount and method then
                local moment = rfc3339(time)
                order = escaped(order)
                return 2, time, {
                    key = source.namespace .. '/order/' .. order,
                    event = '{"specversion":"1.0","id":"' .. source.id .. moment .. '","time":"' ..
                        moment .. source.text .. rule.text .. order .. '","data":{"set":{"amount":' ..
                        tonumber(amount) .. ',"method":"' .. escaped(method) .. '"},"line":"' ..
                        escaped(line) .. '"}}',
                }
            end
        end
    end
    return -1, time, 0
end
