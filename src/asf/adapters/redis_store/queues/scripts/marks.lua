-- KEYS are queues. ARGV has two entry ids for each: the start and the end of a range.
-- Returns for each queue the mark of the first entry in the range, as defined by `Piece.mark`: empty if there is none,
-- and '!' followed by the error if the key is not a stream.
local marks = {}
for number, key in ipairs(KEYS) do
    local found = redis.pcall('XRANGE', key, ARGV[2 * number - 1], ARGV[2 * number], 'COUNT', 1)
    if found.err then
        marks[number] = '!' .. found.err
    elseif #found == 0 then
        marks[number] = ''
    else
        local fields, audio = found[1][2], ''
        for index = 1, #fields, 2 do
            if fields[index] == 'audio' then
                audio = fields[index + 1]
            end
        end
        marks[number] = found[1][1] .. ' ' .. redis.sha1hex(audio)
    end
end
return marks
