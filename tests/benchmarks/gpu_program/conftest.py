"""A program of scheduled HLO with one of everything that is counted."""

import pytest

PROGRAM = """\
HloModule jit_f, is_scheduled=true, entry_computation_layout={(f32[64,32]{1,0})->f32[64,32]{1,0}}

FileNames
1 "/home/someone/project/jax_port/ppo/rollout.py"
2 "/usr/lib/python3.11/site-packages/flax/linen/linear.py"

FunctionNames
1 "collect.<locals>.body"
2 "Dense.__call__"

FileLocations
1 {file_name_id=1 function_name_id=1 line=197 end_line=197 column=4 end_column=9}
2 {file_name_id=2 function_name_id=2 line=287 end_line=287 column=4 end_column=9}

StackFrames
1 {file_location_id=1 parent_frame_id=1}
2 {file_location_id=2 parent_frame_id=2}


%product (p0: bf16[64,32], p1: bf16[32,16]) -> f32[64,16] {
  %p0 = bf16[64,32]{1,0} parameter(0)
  %p1 = bf16[32,16]{1,0} parameter(1)
  %dot.1 = bf16[64,16]{1,0} dot(%p0, %p1), lhs_contracting_dims={1}, rhs_contracting_dims={0}
  ROOT %convert.1 = f32[64,16]{1,0} convert(%dot.1)
}

%row (p2: f32[7,64], p3: s32[], p4: f32[64]) -> f32[7,64] {
  %p2 = f32[7,64]{1,0} parameter(0)
  %p4 = f32[64]{0} parameter(2)
  %bitcast.1 = f32[1,64]{1,0} bitcast(%p4)
  %p3 = s32[] parameter(1)
  %zero.1 = s32[] constant(0)
  ROOT %dynamic_update_slice.1 = f32[7,64]{1,0} dynamic-update-slice(%p2, %bitcast.1, %p3, %zero.1)
}

%add (x: f32[], y: f32[]) -> f32[] {
  %x = f32[] parameter(0)
  %y = f32[] parameter(1)
  ROOT %sum = f32[] add(%x, %y)
}

%total (p5: f32[64,16]) -> f32[64] {
  %p5 = f32[64,16]{1,0} parameter(0)
  %zero.2 = f32[] constant(0)
  ROOT %reduce.1 = f32[64]{0} reduce(%p5, %zero.2), dimensions={1}, to_apply=%add
}

%taken (p6: f32[1000,4], p7: s32[64,1]) -> f32[64,4] {
  %p6 = f32[1000,4]{1,0} parameter(0)
  %p7 = s32[64,1]{1,0} parameter(1)
  ROOT %gather.1 = f32[64,4]{1,0} gather(%p6, %p7), offset_dims={1}, slice_sizes={1,4}
}

%body.inner (arg.1: (s32[], f32[64])) -> (s32[], f32[64]) {
  %arg.1 = (s32[], f32[64]{0}) parameter(0)
  %get.1 = s32[] get-tuple-element(%arg.1), index=0
  %get.2 = f32[64]{0} get-tuple-element(%arg.1), index=1
  %copy.1 = f32[64]{0} copy(%get.2)
  ROOT %tuple.1 = (s32[], f32[64]{0}) tuple(%get.1, %copy.1)
}

%condition.inner (arg.2: (s32[], f32[64])) -> pred[] {
  %arg.2 = (s32[], f32[64]{0}) parameter(0)
  %get.3 = s32[] get-tuple-element(%arg.2), index=0
  %get.4 = s32[] constant(3)
  ROOT %compare.1 = pred[] compare(%get.3, %get.4), direction=LT
}

%small (arg.3: f32[64]) -> f32[64] {
  ROOT %arg.3 = f32[64]{0} parameter(0)
}

%large (arg.4: f32[64]) -> f32[64] {
  %arg.4 = f32[64]{0} parameter(0)
  ROOT %negate.1 = f32[64]{0} negate(%arg.4)
}

%body.outer (arg.5: (s32[], bf16[64,32], bf16[32,16], f32[7,64], f32[64])) -> (s32[], bf16[64,32]) {
  %arg.5 = (s32[], bf16[64,32]{1,0}, bf16[32,16]{1,0}, f32[7,64]{1,0}, /*index=4*/f32[64]{0}) parameter(0)
  %get.5 = s32[] get-tuple-element(%arg.5), index=0
  %get.6 = bf16[64,32]{1,0} get-tuple-element(%arg.5), index=1
  %get.7 = bf16[32,16]{1,0} get-tuple-element(%arg.5), index=2
  %get.8 = f32[7,64]{1,0} get-tuple-element(%arg.5), index=3
  %get.9 = f32[64]{0} get-tuple-element(%arg.5), index=4
  %gemm = f32[64,16]{1,0} fusion(%get.6, %get.7), kind=kCustom, calls=%product, metadata={op_name="jit(f)/dot" stack_frame_id=2}, backend_config={"fusion_backend_config":{"kind":"__triton_gemm"}}
  %sums = f32[64]{0} fusion(%gemm), kind=kInput, calls=%total, metadata={op_name="f (a, \\"b)" stack_frame_id=1}
  %written = f32[7,64]{1,0} fusion(%get.8, %get.5, %sums), kind=kLoop, calls=%row, metadata={op_name="jit(f)/x" source_file="/x/jax_port/old.py" source_line=12}
  %tuple.2 = (s32[], f32[64]{0}) tuple(%get.5, %sums)
  %while.inner = (s32[], f32[64]{0}) while(%tuple.2), condition=%condition.inner, body=%body.inner
  %get.10 = f32[64]{0} get-tuple-element(%while.inner), index=1
  %conditional.1 = f32[64]{0} conditional(%get.5, %get.10, %get.10), branch_computations={%small, %large}
  ROOT %tuple.3 = (s32[], bf16[64,32]{1,0}, bf16[32,16]{1,0}, f32[7,64]{1,0}, /*index=4*/f32[64]{0}) tuple(%get.5, %get.6, %get.7, %written, %conditional.1)
}

%condition.outer (arg.6: (s32[], bf16[64,32], bf16[32,16], f32[7,64], f32[64])) -> pred[] {
  %arg.6 = (s32[], bf16[64,32]{1,0}, bf16[32,16]{1,0}, f32[7,64]{1,0}, /*index=4*/f32[64]{0}) parameter(0)
  %get.11 = s32[] get-tuple-element(%arg.6), index=0
  %seven = s32[] constant(7)
  ROOT %compare.2 = pred[] compare(%get.11, %seven), direction=LT
}

ENTRY %main (given: bf16[64,32], weights: bf16[32,16], table: f32[1000,4], rows: s32[64,1]) -> f32[64,4] {
  %given = bf16[64,32]{1,0} parameter(0)
  %weights = bf16[32,16]{1,0} parameter(1)
  %table = f32[1000,4]{1,0} parameter(2)
  %rows = s32[64,1]{1,0} parameter(3)
  %zero.3 = s32[] constant(0), metadata={op_name="a (b" }
  %text = s8[3]{0} constant("(%x")
  %buffer = f32[7,64]{1,0} custom-call(), custom_call_target="AllocateBuffer"
  %vector = f32[64]{0} custom-call(), custom_call_target="AllocateBuffer"
  %tuple.4 = (s32[], bf16[64,32]{1,0}, bf16[32,16]{1,0}, f32[7,64]{1,0}, /*index=4*/f32[64]{0}) tuple(%zero.3, %given, %weights, %buffer, %vector)
  %while.outer = (s32[], bf16[64,32]{1,0}, bf16[32,16]{1,0}, f32[7,64]{1,0}, /*index=4*/f32[64]{0}) while(%tuple.4), condition=%condition.outer, body=%body.outer, backend_config={"known_trip_count":{"n":"7"}}
  ROOT %seen = f32[64,4]{1,0} fusion(%table, %rows), kind=kLoop, calls=%taken
}
"""  # noqa: E501


@pytest.fixture
def program() -> str:
    """The text."""
    return PROGRAM
