-- In a Cluster, topics are counted by count.lua in a call of its own, after the step that creates or deletes a topic. The number of topics
-- and the names are not among the keys of that step. While a slot moves from one node to another, a script would write such a key
-- at the new node although the old node still has it, and the move could not be finished. If these keys were among the
-- keys of each step, a step would have to wait until all of them have moved.
local counts_at_once = false

local function count() end

local function discount() end

-- Removes the field `w`, in which origins of the oldest version keep the value of the last claim. If it stayed, they would announce that
-- value with the id of this claim.
local function take_over(topic, _, _, w)
  if w then
    pcall('HDEL', topic, 'w')
  end
end
