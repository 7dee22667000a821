-- Claims the unpublished changes of topics.
--
-- KEYS    per topic: topic hash, outbox part; history, if one is kept
-- ARGV    as in claiming.lua
-- returns per topic: 0                         nothing to announce
--                    ms                        the gate is shut for this long
--                    {value, epoch, id, prev}  announce; prev is "0" before the first claim, and
--                                              "epoch-revision" when the epoch is new; a fifth, if it is
--                                              not 0: 1 if the topic is deleted, 2 if count.lua must count
--                                              it, 3 for both
--                    an error                  its key holds no topic
local replies = {}
local each = keeps_history(ARGV[6], ARGV[7]) and 3 or 2
for key = 1, #KEYS, each do
  replies[#replies + 1] = claim(KEYS[key], KEYS[key + 1], each == 3 and KEYS[key + 2] or nil)
end
return replies
